"""How software writes a secret: every form that must not survive in anything that stays."""

import base64
import html
import json
import shlex
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr


def _ansi_c(secret):
    """As a shell's $'…' with octal digits for all that is special."""
    return "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03o}"
        for byte in secret.encode()
    )


def _inner(text):
    return text[1:-1]


def _mixed_percent(secret):
    """Every other character percent-encoded, digits of either case."""
    return "".join(
        (quote(one, safe="") if number % 2 else _all_percent(one, upper=number % 4 == 0))
        for number, one in enumerate(secret)
    )


def _all_percent(secret, *, upper=True):
    return "".join(f"%{byte:02X}" if upper else f"%{byte:02x}" for byte in secret.encode())


SPELLINGS = {
    "as it is": lambda one: one,
    "XML text": xml_escape,
    "XML attribute": lambda one: _inner(quoteattr(one, {"'": "&apos;"})),
    "HTML": html.escape,
    "XML, decimal references": lambda one: "".join(f"&#{ord(c)};" for c in one),
    "XML, hexadecimal references": lambda one: "".join(f"&#x{ord(c):X};" for c in one),
    "XML in XML": lambda one: xml_escape(html.escape(one)),
    "URL": lambda one: quote(one, safe=""),
    "URL, lower case": lambda one: _all_percent(one, upper=False),
    "URL, all characters": _all_percent,
    "URL, some characters": _mixed_percent,
    "URL path": quote,
    "URL form": quote_plus,
    "URL in URL": lambda one: quote(quote(one, safe=""), safe=""),
    "JSON": lambda one: _inner(json.dumps(one)),
    "JSON, not ASCII": lambda one: _inner(json.dumps(one, ensure_ascii=False)),
    "JSON of JavaScript": lambda one: _inner(json.dumps(one)).replace("/", "\\/"),
    "JSON, all characters": lambda one: "".join(
        f"\\u{int.from_bytes(unit):04X}"
        for c in one
        for unit in zip(*[iter(c.encode("utf-16-be"))] * 2, strict=True)
    ),
    "JSON in JSON": lambda one: _inner(json.dumps(_inner(json.dumps(one)))),
    "JSON in XML": lambda one: html.escape(_inner(json.dumps(one))),
    "URL in JSON": lambda one: _inner(json.dumps(quote(one))),
    "JSON in a URL": lambda one: quote(_inner(json.dumps(one))),
    "shell word": lambda one: shlex.quote(one + " ")[1:-2],
    "shell, single quotes": lambda one: one.replace("'", "'\\''"),
    "shell, backslashes": lambda one: "".join(c if c.isalnum() else f"\\{c}" for c in one),
    "shell, $'…'": _ansi_c,
    "Compose": lambda one: one.replace("$", "$$"),
    "SQL": lambda one: one.replace("'", "''"),
    "Python": lambda one: _inner(repr(one)),
    "Python, ASCII": lambda one: _inner(ascii(one)),
    "Python, bytes": lambda one: repr(one.encode())[2:-1],
    "Python, bytes of hexadecimal digits": lambda one: "".join(f"\\x{b:02x}" for b in one.encode()),
    "Python in XML": lambda one: html.escape(repr(one)[1:-1]),
    "Python in JSON": lambda one: _inner(json.dumps(repr(one)[1:-1])),
    "hexadecimal": lambda one: one.encode().hex(),
    "hexadecimal, upper case": lambda one: one.encode().hex().upper(),
    "hexadecimal with colons": lambda one: one.encode().hex(":"),
    "hexadecimal in pairs": lambda one: one.encode().hex(" ", 2),
    "hexadecimal as in C": lambda one: ", ".join(f"0x{byte:02X}" for byte in one.encode())[2:],
}
"""By name, what writes a secret character by character: the whole of it is the secret's."""


def encoded(secret, before=b"", after=b""):
    """The forms in Base64 of what holds a secret, by name."""
    whole = before + secret.encode() + after
    standard = base64.b64encode(whole).decode()
    return {
        "Base64": standard,
        "Base64 without its end": standard.rstrip("="),
        "Base64 of URLs": base64.urlsafe_b64encode(whole).decode(),
        "Base64 in lines": base64.encodebytes(whole).decode(),
        "Base64 in a URL": quote(standard, safe=""),
        "Base64 in JSON": _inner(json.dumps(base64.encodebytes(whole).decode())),
        "Base64 in JSON of JavaScript": standard.replace("/", "\\/"),
    }


def survivors(secret, text):
    """The names of the forms of a secret that a text holds."""
    found = [name for name, form in SPELLINGS.items() if form(secret) in text]
    plain = text.replace("\n", "").translate(str.maketrans("-_", "+/"))
    for before in range(3):
        core = base64.b64encode(bytes(before) + secret.encode()).decode()
        core = core[-(-before * 8 // 6) : (before + len(secret.encode())) * 8 // 6]
        if core in plain:
            found.append(f"Base64 after {before} bytes")
    return found
