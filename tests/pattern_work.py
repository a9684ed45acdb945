"""Counts what a backtracking search costs: a small matcher over the standard library's own parse.

Source: Python, `Lib/re/_parser.py` for the tree; `Modules/_sre/sre_lib.h` for the order in which
ways are tried. A step is one look at one character, or one try at one place.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from re import DOTALL, IGNORECASE, MULTILINE, Pattern
from re import _constants as c
from re import _parser as parser

SAMPLES = {
    c.CATEGORY_DIGIT: "7",
    c.CATEGORY_SPACE: " ",
    c.CATEGORY_WORD: "a",
    c.CATEGORY_NOT_DIGIT: "a",
    c.CATEGORY_NOT_SPACE: "a",
    c.CATEGORY_NOT_WORD: "-",
}
_SINGLE = {c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN}
_REPEATS = {c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT}

Next = Callable[[int], bool]


def tree_of(pattern: Pattern) -> list:
    written = pattern.pattern
    text = written if isinstance(written, str) else written.decode("latin-1")
    return list(parser.parse(text, pattern.flags & (IGNORECASE | MULTILINE | DOTALL)))


class TooMuchWork(Exception):
    """A search takes more steps than it may."""


class Search:
    """One pattern at work on one text."""

    def __init__(self, pattern: Pattern, text: str, *, most: int = 1_000_000) -> None:
        self.tree = tree_of(pattern)
        self.flags = pattern.flags
        self.text = text
        self.most = most
        self.steps = 0
        self.groups: dict[int, tuple[int, int]] = {}

    def spans(self, *, anywhere: bool = True) -> list[tuple[int, int]]:
        """All matches, as `finditer` has them; with `anywhere` off, that of `match` alone."""
        found: list[tuple[int, int]] = []
        at = 0
        ends: list[int] = []
        while at <= len(self.text):
            self.groups = {}
            self.steps += 1
            ends.clear()
            if self._items(self.tree, 0, at, lambda end: not ends.append(end)):
                found.append((at, ends[0]))
                at = ends[0] if ends[0] > at else at + 1
            else:
                at += 1
            if not anywhere:
                break
        return found

    def _items(self, items, number: int, at: int, then: Next) -> bool:
        while number < len(items) and items[number][0] in _SINGLE:
            self.steps += 1
            if at >= len(self.text) or not self.fits(items[number], self.text[at]):
                return False
            number, at = number + 1, at + 1
        if number == len(items):
            return then(at)
        op, value = items[number]
        return self._one(op, value, at, lambda end: self._items(items, number + 1, end, then))

    def _one(self, op, value, at: int, then: Next) -> bool:  # noqa: PLR0911 - one a kind of node
        self.steps += 1
        if self.steps > self.most:
            raise TooMuchWork
        if op is c.FAILURE:
            return False
        if op is c.AT:
            return self._at(value, at) and then(at)
        if op is c.BRANCH:
            return any(self._items(list(way), 0, at, then) for way in value[1])
        if op is c.SUBPATTERN:
            return self._group(value, at, then)
        if op in _REPEATS:
            return self._repeat(op, value, at, then)
        if op is c.ATOMIC_GROUP:
            end = self._end_of(list(value), at)
            return end is not None and then(end)
        if op in {c.ASSERT, c.ASSERT_NOT}:
            return self._look(value, at) == (op is c.ASSERT) and then(at)
        if op is c.GROUPREF:
            start, end = self.groups.get(value, (0, -1))
            part = self.text[start:end]
            return end >= start and self.text.startswith(part, at) and then(at + len(part))
        raise NotImplementedError(op)

    def _group(self, value, at: int, then: Next) -> bool:
        group, _, _, inner = value

        def close(end: int) -> bool:
            before = self.groups.get(group)
            self.groups[group] = (at, end)
            if then(end):
                return True
            if before is None:
                self.groups.pop(group, None)
            else:
                self.groups[group] = before
            return False

        return self._items(list(inner), 0, at, close)

    def _repeat(self, op, value, at: int, then: Next) -> bool:
        least, most, inner = value
        items = list(inner)
        if len(items) == 1 and items[0][0] in _SINGLE:
            return self._run(op, least, most, items[0], at, then)
        if op is c.POSSESSIVE_REPEAT:
            end, count = at, 0
            while count < most and (further := self._end_of(items, end)) is not None:
                count += 1
                if further == end:
                    break
                end = further
            return count >= least and then(end)
        return self._again(op, least, most, items, 0, at, then)

    def _again(self, op, least, most, items, count: int, at: int, then: Next) -> bool:
        self.steps += 1

        def more(end: int) -> bool:
            if end == at and count >= least:
                return False
            return self._again(op, least, most, items, count + 1, end, then)

        if count < least:
            return self._items(items, 0, at, more)
        if op is c.MIN_REPEAT:
            return then(at) or (count < most and self._items(items, 0, at, more))
        return (count < most and self._items(items, 0, at, more)) or then(at)

    def _run(self, op, least, most, item, at: int, then: Next) -> bool:
        longest = min(most, len(self.text) - at)
        count = 0
        if op is c.MIN_REPEAT:
            while True:
                self.steps += 1
                if count >= least and then(at + count):
                    return True
                if count >= longest or not self.fits(item, self.text[at + count]):
                    return False
                count += 1
        while count < longest and self.fits(item, self.text[at + count]):
            self.steps += 1
            count += 1
        if op is c.POSSESSIVE_REPEAT:
            return count >= least and then(at + count)
        while count >= least:
            self.steps += 1
            if then(at + count):
                return True
            count -= 1
        return False

    def _end_of(self, items, at: int) -> int | None:
        ends: list[int] = []
        return ends[0] if self._items(items, 0, at, lambda end: not ends.append(end)) else None

    def _look(self, value, at: int) -> bool:
        direction, inner = value
        start = at if direction > 0 else at - inner.getwidth()[0]
        return start >= 0 and self._end_of(list(inner), start) is not None

    def _at(self, where, at: int) -> bool:
        text, end = self.text, len(self.text)
        if where in {c.AT_BEGINNING, c.AT_BEGINNING_STRING}:
            lines = where is c.AT_BEGINNING and self.flags & MULTILINE
            return at == 0 or bool(lines and text[at - 1] == "\n")
        if where is c.AT_END:
            last = at == end or (at == end - 1 and text[at] == "\n")
            return last or bool(self.flags & MULTILINE and text[at] == "\n")
        if where is c.AT_END_STRING:
            return at == end
        before = at > 0 and _is_word(text[at - 1])
        after = at < end and _is_word(text[at])
        return (before != after) == (where is c.AT_BOUNDARY)

    def fits(self, item, letter: str) -> bool:
        """Whether one letter is what a part of the pattern wants."""
        op, value = item
        if op is c.ANY:
            return letter != "\n" or bool(self.flags & DOTALL)
        letters = {letter}
        if self.flags & IGNORECASE:
            letters |= {letter.lower(), letter.upper()}
        if op is c.IN:
            negated = value[0][0] is c.NEGATE
            return any(_in(one, ord(x)) for one in value for x in letters if len(x) == 1) != negated
        return (value in {ord(x) for x in letters if len(x) == 1}) == (op is c.LITERAL)


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _in(item, code: int) -> bool:
    op, value = item
    if op is c.LITERAL:
        return code == value
    if op is c.RANGE:
        return value[0] <= code <= value[1]
    if op is c.NEGATE:
        return False
    letter = chr(code)
    name = str(value).removeprefix("CATEGORY_")
    kinds = {"DIGIT": letter.isdecimal(), "SPACE": letter.isspace(), "WORD": _is_word(letter)}
    return not kinds[name[4:]] if name.startswith("NOT_") else kinds[name]


@contextmanager
def deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def shortest(items) -> str:
    """A short text that a part of a pattern matches, assertions left out."""
    return "".join(_shortest(op, value) for op, value in items)


def _shortest(op, value) -> str:
    if op in _SINGLE:
        return _letters(op, value)[0]
    if op is c.BRANCH:
        return min((shortest(way) for way in value[1]), key=len)
    if op is c.SUBPATTERN:
        return shortest(value[3])
    if op in _REPEATS:
        return shortest(value[2]) * value[0]
    if op is c.ATOMIC_GROUP:
        return shortest(value)
    return ""


def _letters(op, value) -> list[str]:
    if op is c.LITERAL:
        return [chr(value)]
    if op is c.ANY:
        return ["a"]
    if op is c.NOT_LITERAL:
        return ["a" if value != ord("a") else "b"]
    if value[0][0] is c.NEGATE:
        fitting = [x for x in "a7-. \n!" if not any(_in(one, ord(x)) for one in value[1:])]
        return fitting or ["\x7f"]
    found = []
    for kind, one in value:
        if kind is c.CATEGORY:
            found.append(SAMPLES[one])
        else:
            found.append(chr(one[0] if kind is c.RANGE else one))
    return found


def attacks(pattern: Pattern, most: int = 6) -> Iterator[tuple[str, str, str]]:
    """Beginning, what is repeated, and end of texts that a pattern may be slow on."""
    tree = tree_of(pattern)
    letters = list(dict.fromkeys(_alphabet(tree)))
    alphabet = letters[:most]
    for first in alphabet:
        yield "", first, ""
        for second in alphabet:
            if first != second:
                yield "", first + second, ""
    for number in range(1, len(tree) + 1):
        yield "", shortest(tree[:number]), ""
        yield "", shortest(tree[:number]) + (alphabet or ["a"])[0], ""
    for before, body in _loops(tree, "", letters[:12], pattern):
        for unit in body:
            for end in ("", "\x01", "\n\x01"):
                yield before, unit, end


def _alphabet(items) -> Iterator[str]:
    for op, value in items:
        if op in _SINGLE:
            yield from _letters(op, value)[:3]
        elif op is c.BRANCH:
            for way in value[1]:
                yield from _alphabet(way)
        elif op is c.SUBPATTERN:
            yield from _alphabet(value[3])
        elif op in _REPEATS:
            yield from _alphabet(value[2])
        elif op is c.ATOMIC_GROUP:
            yield from _alphabet(value)


def _loops(
    items, before: str, letters: list[str], pattern: Pattern
) -> Iterator[tuple[str, list[str]]]:
    """Each unbounded repeat: what leads to it, and what it can repeat."""
    for op, value in items:
        if op in _REPEATS:
            body = list(value[2])
            if value[1] is c.MAXREPEAT:
                yield before, [*_repeated(body, letters, pattern), shortest(body) or "a"]
            yield from _loops(body, before, letters, pattern)
        elif op is c.BRANCH:
            for way in value[1]:
                yield from _loops(way, before, letters, pattern)
        elif op is c.SUBPATTERN:
            yield from _loops(value[3], before, letters, pattern)
        elif op is c.ATOMIC_GROUP:
            yield from _loops(value, before, letters, pattern)
        before += _shortest(op, value)


def _repeated(body, letters: list[str], pattern: Pattern) -> list[str]:
    """What a repeat of one letter can take, of all letters that the pattern knows."""
    if len(body) != 1 or body[0][0] not in _SINGLE:
        return []
    search = Search(pattern, "")
    return [one for one in letters if search.fits(body[0], one)]
