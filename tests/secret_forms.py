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


CANARY = "canary<p@ss/w'or d&\"+%41\\né"
"""A secret with all that is awkward to write."""

WRITER = """\
import http.server, json, os, sys

forms = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "forms.json")))

def write_all():
    for form in forms:
        print(form, flush=True)
        print(form, file=sys.stderr, flush=True)
    print("." * (16 * 1024 - 9) + os.environ["SHOP_API_KEY"] + "." * 40_000, flush=True)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            write_all()
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

write_all()
if os.path.exists(os.path.join(os.path.dirname(os.path.abspath(__file__)), "broken")):
    sys.exit(os.environ["SHOP_API_KEY"])
port = int(sys.argv[sys.argv.index("--port") + 1]) if "--port" in sys.argv else 8000
http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()
"""
"""A service that writes its secret in all forms, in long lines, as it starts and as it crashes."""

SCENARIO = """\
import os, warnings
import httpx, pytest

pytestmark = pytest.mark.integration
KEY = os.environ["SHOP_API_KEY"]

@pytest.mark.parametrize("key", [KEY])
def test_fails_with(running_stack, key):
    print("printed", key)
    warnings.warn(f"old {key}")
    running_stack.kept.mkdir(parents=True, exist_ok=True)
    (running_stack.kept / "of-the-test.txt").write_text(key)
    try:
        httpx.get(running_stack.url("web") + "/crash")
    except httpx.HTTPError:
        pass
    assert {"key": key} == {"key": [repr(key)]}
"""
"""A test with the secret in its id, its output and its assertion, whose service crashes."""


def all_forms(secret=CANARY):
    """Everything that `WRITER` prints of a secret."""
    forms = [form(secret) for form in SPELLINGS.values()]
    return [*forms, *encoded(secret).values(), *encoded(secret, b"user:").values(),
            *encoded(secret, b"a").values()]  # fmt: skip


def leaks(secret, *folders, said=""):
    """Where forms of a secret are: files, names of files, what was said."""
    found = [f"said: {name}" for name in survivors(secret, said)]
    for folder in folders:
        for path in folder.rglob("*"):
            found += [f"name {path}: {name}" for name in survivors(secret, path.name)]
            if path.is_file() and not path.is_symlink():
                text = path.read_bytes().decode(errors="replace")
                found += [f"{path}: {name}" for name in survivors(secret, text)]
    return found
