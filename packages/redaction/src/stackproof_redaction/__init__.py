"""Secret masking, in one place: every byte that enters what stays passes here.

Only the standard library is imported, and nothing of stackproof: the supervisor of the process
engine loads this package, and so does the gateway, which otherwise stands alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import quote, quote_plus

from stackproof_redaction.base64_text import Encoded, Span
from stackproof_redaction.spelling import LONGEST_CHARACTER, Hexadecimal, Spelling

MASK = "********"
"""What stands in the place of a secret."""

SHORTEST = 4
"""Secrets with fewer characters are not searched for: masking `a` would destroy every text."""

COMMON = frozenset({"true", "false", "none", "null"})
"""Words that are a secret's value only by mistake; masking them would destroy every text."""


class Redactor:
    """Replaces known secret values in texts by `********`.

    A secret is found in each spelling that software gives it: as it is, with XML references,
    percent-encoded, escaped as in JSON, Python and shells, in hexadecimal and in Base64, with
    anything before and after it; if it has several lines, line by line as well.

    Args:
        secrets: The values to hide; those shorter than 4 characters are left out.
        mask: What takes the place of one.
    """

    def __init__(self, secrets: Iterable[str] = (), *, mask: str = MASK) -> None:
        self.mask = mask
        self._secrets = frozenset(
            secret for secret in map(str.strip, secrets) if _is_findable(secret)
        )
        self.longest = LONGEST_CHARACTER * max(map(len, self._secrets), default=0)

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def spans(self, text: str) -> list[Span]:
        """Where secrets stand, each place once, in order; places may overlap."""
        return sorted(set(_search(self._secrets).spans(text))) if self._secrets and text else []

    def text(self, text: str) -> str:
        """The same text with each secret masked; the ends of lines stay."""
        return self._masked(text, self.spans(text))

    def fill(self, text: str) -> str:
        """The same with each secret masked by as many bytes, for what has fixed places."""
        parts, done = [], 0
        for start, end in merged(self.spans(text)):
            size = len(text[start:end].encode("utf-8", "surrogateescape"))
            parts += [text[done:start], self.mask[:1] * size]
            done = end
        return "".join([*parts, text[done:]])

    def lines(self, lines: Sequence[str]) -> list[str]:
        """The same number of lines, without secrets that go across their ends either."""
        if not self._secrets:
            return list(lines)
        return self.text("\n".join(lines)).split("\n") if lines else []

    def part(self, text: str) -> tuple[str, str]:
        """The masked beginning of an unfinished text, and the rest, which may begin a secret.

        Args:
            text: What is known so far.
        """
        spans = self.spans(text)
        cut = max(len(text) - self.longest, 0)
        for start, end in reversed(spans):
            if start < cut < end:
                cut = start
        if cut == 0:  # secrets overlap each other from end to end
            cut = max((end for _, end in spans), default=0)
        return self._masked(text[:cut], [span for span in spans if span[1] <= cut]), text[cut:]

    def value(self, value: object, *, numbers: bool = True) -> object:
        """The same JSON-like value with each secret masked in its strings, keys included.

        What JSON has no form for, such as a path, becomes a string.

        Args:
            value: The value.
            numbers: Whether a number that is a secret is masked as well, which makes it a string.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self._items(value, numbers=numbers)
        if isinstance(value, list | tuple):
            return [self.value(item, numbers=numbers) for item in value]
        if isinstance(value, int | float):
            return self.mask if numbers and str(value) in self._secrets else value
        return None if value is None else self.text(str(value))

    def _masked(self, text: str, spans: Sequence[Span]) -> str:
        parts, done = [], 0
        for start, end in merged(spans):
            lines = text[start:end].split("\n")
            parts += [text[done:start], "\n".join(self.mask if line else "" for line in lines)]
            done = end
        return "".join([*parts, text[done:]]) if parts else text

    def _items(self, items: dict[object, object], *, numbers: bool) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, item in items.items():
            name = shown = self.text(str(key))
            while name in found:  # two secrets that are the same by now
                name = f"{shown} ({len(found) + 1})"
            found[name] = self._item(str(key), item, numbers=numbers)
        return found

    def _item(self, name: str, item: object, *, numbers: bool) -> object:
        """The value of a name; what masks by names overrides it."""
        del name
        return self.value(item, numbers=numbers)


class _Search:
    def __init__(self, secrets: frozenset[str]) -> None:
        parts = sorted({part for secret in secrets for part in _parts(secret)})
        self._finders: list[Spelling | Encoded] = [Spelling(part) for part in parts]
        self._finders += [Hexadecimal(secret) for secret in sorted(secrets)]
        written = {form for secret in secrets for form in _written(secret)}
        encoded = (form.encode("utf-8", "surrogatepass") for form in written)
        self._finders.append(Encoded(encoded))
        self._shortest = min(finder.shortest for finder in self._finders)

    def spans(self, text: str) -> Iterator[Span]:
        if len(text) < self._shortest:  # as most keys and many values are
            return
        for finder in self._finders:
            yield from finder.spans(text)


@lru_cache(maxsize=32)
def _search(secrets: frozenset[str]) -> _Search:
    """What finds these secrets; to make it takes milliseconds."""
    return _Search(secrets)


def _is_findable(secret: str) -> bool:
    return len(secret) >= SHORTEST and secret.lower() not in COMMON


def _parts(secret: str) -> Iterator[str]:
    """The lines of a secret, since a log shows them one by one, and itself if some are short."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", secret)]
    yield from filter(_is_findable, lines)
    if not all(map(_is_findable, lines)):
        yield secret


def _written(secret: str) -> Iterator[str]:
    """How a secret stands in what is encoded as a whole: headers, JSON, URLs."""
    yield secret
    if "\n" in secret:
        yield f"{secret}\n"  # a file ends so
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret, safe="", errors="replace")
    yield quote_plus(secret, errors="replace")


def merged(spans: Sequence[Span]) -> Iterator[Span]:
    """The same places, those that overlap as one."""
    current: Span | None = None
    for start, end in spans:
        if current is not None and start < current[1]:
            current = current[0], max(current[1], end)
            continue
        if current is not None:
            yield current
        current = start, end
    if current is not None:
        yield current
