r"""Writes a pattern for a secret that fits each way in which software escapes its characters.

Each character may be written on its own as it is, as an XML reference, percent-encoded, or behind
backslashes as JSON, Python, C and shells do; layers such as JSON in JSON in XML are found as well.
Possessive quantifiers keep the work at one position proportional to the secret's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import groupby
from re import escape

HEAD = 4
"""Parts of a pattern that are searched for first."""

LONGEST_CHARACTER = 40
"""No character is written with more than this, at the usual depth of layers."""

_PERCENT_BACKSLASH = r"%(?:25){0,3}5[cC]"
_BACKSLASHES = r"\\{0,7}+"
"""What may stand behind a first backslash: each layer of escapes doubles them."""

_SEPARATOR = r"(?:[\s:,._-]{1,3}+(?:0[xX])?+|0[xX])?+"
"""What may stand between two bytes in hexadecimal."""

_NAMES = {"<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_SHORT = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v", "\a": "a", "\0": "0",
          "\x1b": "[eE]"}  # fmt: skip
_SPACES = {" ": r"\+", "\n": r" |\r\n"}
"""Other characters that stand for white space: in URL forms, and where a shell splits words."""


class Spelling:
    """All spellings of a secret, as a pattern.

    Most texts hold no secret, so they are searched for its first characters; the whole pattern,
    which takes milliseconds to compile, is made when those are found.

    Args:
        secret: The secret, not empty.

    Attributes:
        shortest: It stands in no text with fewer characters: each of its own is written with one at
            the least, but for backslashes.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._parts = _parts(secret)
        self._head = re.compile("".join(self._parts[:HEAD]))
        self.shortest = len(secret.replace("\r\n", "\n").replace("\\", ""))

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return re.compile("".join(self._parts))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it stands in a text."""
        at = text.find(self._secret)
        while at >= 0:  # a backslash before it, or within it, may give the text another reading
            yield at, at + len(self._secret)
            at = text.find(self._secret, at + len(self._secret))
        found = self._head.search(text)
        while found is not None:
            whole = self._whole.match(text, found.start())
            if whole is not None:
                yield whole.span()
            found = self._head.search(text, found.start() + 1 if whole is None else whole.end())


class Hexadecimal(Spelling):
    """A secret's bytes in hexadecimal, with or without separators."""

    def __init__(self, secret: str) -> None:
        encoded = secret.encode("utf-8", "surrogatepass")
        super().__init__(encoded.hex())
        digits = [_hex(byte, 2) for byte in encoded]
        self._parts = [digits[0], *(f"{_SEPARATOR}{digit}" for digit in digits[1:])]
        self._head = re.compile("".join(self._parts[:HEAD]))


def _parts(secret: str) -> list[str]:
    """The pattern of a secret in parts, one a character or run of characters."""
    runs = [(kind, "".join(run)) for kind, run in groupby(secret.replace("\r\n", "\n"), _kind)]
    last = len(runs) - 1
    parts = []
    for at, (kind, run) in enumerate(runs):
        after_backslash = at > 0 and runs[at - 1][0] == "\\"
        if kind == "\\":
            parts.append(_backslashes(len(run), runs[at + 1][1] if at < last else ""))
        elif kind == "quote":
            most = 1 if at in {0, last} else 5  # `'"'"'` is a quote in a word of a shell
            parts.append(f"(?:{_quote(after_backslash)}){{{len(run)},{most * len(run)}}}")
        elif kind == "$":
            doubled = 2 * len(run)  # as Compose files write it
            parts.append(f"(?:{_character('$')}){{{len(run)},{doubled}}}")
        else:
            parts.append(_behind_backslashes(run[0]) if after_backslash else _character(run[0]))
            parts.extend(map(_character, run[1:]))
    return parts


def _kind(character: str) -> str:
    if character in "'\"":
        return "quote"
    return character if character in "\\$" else ""


def _backslashes(count: int, following: str) -> str:
    """A run of backslashes, each written as itself or by its code."""
    looks_like_code = following[:1] in {"x", "u", "U", "1"}
    code = "" if looks_like_code else rf"(?:{_BACKSLASHES}(?:[xX]5[cC]|u005[cC]|134))?"
    others = "|".join([_percent(b"\\"), _reference("\\")])
    return rf"(?:\\{code}|{others}){{{count},{16 * count}}}+"


@lru_cache(maxsize=1024)
def _quote(after_backslash: bool) -> str:
    both = [_behind_backslashes(quote) if after_backslash else _character(quote) for quote in "'\""]
    return "|".join(both)


@lru_cache(maxsize=4096)
def _character(character: str) -> str:
    """All spellings of a character; each begins with a literal, which makes the search fast."""
    plain, codes = _plain(character), "|".join(_codes(character))
    if _is_seldom_escaped(character):
        return rf"(?:{plain}|\\{_BACKSLASHES}(?:{codes}))"
    behind = f"(?:{codes}|{plain})"
    in_url = f"{_PERCENT_BACKSLASH}(?:{_PERCENT_BACKSLASH}){{0,7}}+{behind}"
    return rf"(?:\\{_BACKSLASHES}{behind}|{in_url}|{plain})"


def _is_seldom_escaped(character: str) -> bool:
    return character.isascii() and character.isalnum()


@lru_cache(maxsize=1024)
def _behind_backslashes(character: str) -> str:
    """The same where the backslashes before it have been read already."""
    return f"(?:{'|'.join(_codes(character))}|{_plain(character)})"


def _plain(character: str) -> str:
    """The spellings without a backslash; `&` and `%` begin longer ones, which come first."""
    raw = escape(character)
    parts = [_reference(character), _percent(character.encode("utf-8", "surrogatepass"))]
    if character in _SPACES:
        parts.append(_SPACES[character])
    if not character.isprintable():
        parts.append(f"#x{_hex(ord(character), 2)}")  # how pytest writes it in JUnit XML
    return "|".join([*parts, raw] if character in "&%#" else [raw, *parts])


def _reference(character: str) -> str:
    number = ord(character)
    named = f"|{_NAMES[character]}" if character in _NAMES else ""
    references = f"#(?:0{{0,6}}{number}|[xX]0{{0,6}}{_hex(number)}){named}"
    if character == "&":
        return "&(?:(?:amp;){1,4}+(?:#(?:38|[xX]26);)?+|#(?:0{0,6}38|[xX]0{0,6}26);)"
    return f"&(?:amp;){{0,3}}+(?:{references});"


def _percent(encoded: bytes) -> str:
    return "".join(f"%(?:25){{0,3}}{_hex(byte, 2)}" for byte in encoded)


def _codes(character: str) -> Iterator[str]:
    """What may stand behind a backslash in the place of a character."""
    number, encoded = ord(character), character.encode("utf-8", "surrogatepass")
    again = rf"(?:\\|{_PERCENT_BACKSLASH}){{1,8}}+"
    yield again.join(f"x{_hex(byte, 2)}" for byte in encoded)
    units = character.encode("utf-16-be", "surrogatepass")
    pairs = [units[at : at + 2] for at in range(0, len(units), 2)]
    yield again.join(f"u{_hex(int.from_bytes(pair), 4)}" for pair in pairs)
    if _is_seldom_escaped(character):
        return
    yield again.join(f"{byte:03o}" for byte in encoded)
    yield f"U{_hex(number, 8)}|u\\{{0{{0,6}}{_hex(number)}\\}}"
    if 0x7F < number <= 0xFF:  # noqa: PLR2004 - Python's ascii(), or a byte of Latin-1
        yield f"x{_hex(number, 2)}|{number:03o}"
    if character in _SHORT:
        yield _SHORT[character]


def _hex(number: int, width: int = 0) -> str:
    """The digits of a number in either case."""
    digits = f"{number:0{width}x}"
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)
