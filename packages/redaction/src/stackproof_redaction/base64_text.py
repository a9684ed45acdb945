"""Finds secrets in Base64, at each of the three alignments that what stands before them may give.

The text is searched in a reading without what wraps lines and escapes `+` and `/`, of which each
place is known in the text itself.
"""

from __future__ import annotations

import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterable, Iterator

SHORTEST_CORE = 4
SHORTEST_FRAGMENT = 20
"""Characters from which a piece of a longer encoded secret is a secret as well."""

Span = tuple[int, int]

_REWRITTEN = re.compile(
    r"(?P<plus>%(?:25){0,3}2[bB]|\\{1,8}+u002[bB]|&(?:amp;){0,3}#(?:43|[xX]2[bB]);)"
    r"|(?P<slash>%(?:25){0,3}2[fF]|\\{1,8}+(?:/|u002[fF])|&(?:amp;){0,3}#(?:47|[xX]2[fF]);)"
    r"|(?:\r?+\n|(?:\\{1,8}+r)?+\\{1,8}+n)[ \t]{0,40}"
)
_URL_SAFE = str.maketrans("-_", "+/")
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_FRAGMENT = re.compile(rf"[A-Za-z0-9+/]{{{SHORTEST_FRAGMENT},}}")


class Encoded:
    """Secrets in Base64.

    Args:
        secrets: What was encoded, each in every spelling that is likely.

    Attributes:
        shortest: They stand in no text with fewer characters.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        cores = {core for secret in secrets for core in _cores(secret)}
        self._cores = sorted(core for core in cores if len(core) >= SHORTEST_CORE)
        self.shortest = min([*map(len, self._cores), SHORTEST_FRAGMENT])
        self._whole = "\n".join(core for core in self._cores if len(core) > SHORTEST_FRAGMENT)

    def spans(self, text: str) -> Iterator[Span]:
        """Where they stand, with the characters beside them that hold some of their bits."""
        if not self._cores:
            return
        reading = _Reading(text)
        for core in self._cores:
            at = reading.text.find(core)
            while at >= 0:
                yield reading.span(at, at + len(core))
                at = reading.text.find(core, at + 1)
        if self._whole:
            for match in _FRAGMENT.finditer(text.translate(_URL_SAFE)):
                if match[0][1:-1] in self._whole:  # at its ends are half characters
                    yield match.span()


def _cores(secret: bytes) -> Iterator[str]:
    """The characters that the secret alone decides, by the bytes before it modulo three."""
    for before in range(3):
        encoded = b64encode(bytes(before) + secret).decode()
        yield encoded[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]


class _Reading:
    """A text as Base64 is searched in it."""

    def __init__(self, text: str) -> None:
        self._original = text
        self._places: list[Span] = [(0, 0)]
        parts, end, length = [], 0, 0
        for match in _REWRITTEN.finditer(text):
            kept = text[end : match.start()]
            written = {"plus": "+", "slash": "/"}.get(match.lastgroup or "", "")
            end, length = match.end(), length + len(kept) + len(written)
            parts += [kept, written]
            self._places += [(length - len(written), match.start())] if written else []
            self._places.append((length, end))
        self.text = "".join([*parts, text[end:]]).translate(_URL_SAFE)

    def _place(self, at: int) -> int:
        index = bisect_right(self._places, at, key=lambda place: place[0]) - 1
        here, there = self._places[index]
        return there + at - here

    def span(self, start: int, end: int) -> Span:
        """Where a part of the reading stands in the text, with its half characters."""
        first = self._place(start)
        last = self._place(end) if self.text[end - 1] in "+/" else self._place(end - 1) + 1
        text = self._original
        if first > 0 and text[first - 1] in _LETTERS:
            first -= 1
        if last < len(text) and text[last] in _LETTERS:
            last += 1
        return first, last
