"""Values that differ from run to run: found in texts, numbered for matching, put into answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stackproof_gateway.provider.requests import RecordedRequest
from stackproof_gateway.provider.stream_masking import edit_events
from stackproof_gateway.strict_fields import ScriptError

LEFT = r"(?:(?<![0-9A-Za-z])|(?<=\\[nrt]))"
"""Where a value can begin; a line break of embedded JSON is a backslash and a letter."""

RIGHT = r"(?![0-9A-Za-z])"

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    r"Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_DAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?"
_ISO = r"(?:19|20)\d\d[-/](?:0[1-9]|1[0-2])[-/](?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?"
_WORDED = rf"(?:{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}}\.? {_MONTH}\.?,? \d{{4}})"

CLASSES = {
    "uuid": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
            r"|[0-9a-f]{12}[47][0-9a-f]{3}[89ab][0-9a-f]{15}",
    "ulid": r"[0-7][0-9A-HJKMNP-TV-Z]{25}",
    "timestamp": rf"(?:{_ISO}[T _]{_CLOCK}{_ZONE}|(?:19|20)\d{{6}}[T_-]?\d{{6}}Z?"
                 r"|(?:19|20)\d\d-\d\d-\d\d[T_]\d\d-\d\d-\d\d"
                 rf"|(?:{_DAY}, )?\d{{1,2}} {_MONTH} \d{{4}} {_CLOCK}{_ZONE}"
                 rf"|{_DAY} {_MONTH} +\d{{1,2}} {_CLOCK}(?: [A-Z]{{3,4}})? \d{{4}})",
    "date": rf"(?:{_DAY},? (?:the )?)?(?:{_ISO}|{_WORDED})(?: \({_DAY}\)|, {_DAY})?"
            r"|(?:0?[1-9]|[12]\d|3[01])[./](?:0?[1-9]|[12]\d|3[01])[./](?:19|20)\d\d",
    "time": r"(?:[01]?\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d+)?",
    "temporary-path": r"(?:(?:/private)?(?:/var)?/tmp|(?:/private)?/var/folders/\w+/\w+/T)/"
                      r"(?:pytest-of-[\w.-]+/pytest-\w+|tmp\.?[A-Za-z0-9_]{6,12}"
                      r"|[\w.+-]+(?=/)|[\w+-]+(?!\.?[\w+-]))",
    "local-port": r"(?:127\.0\.0\.1|localhost|\[::1\]):\d{2,5}",
    "clock": r"(?:[01]?\d|2[0-3]):[0-5]\d(?: ?[AaPp]\.?[Mm]\b)?",
    "epoch": r"1[4-9]\d{8}(?:\.\d+|\d{3})?",
    "sequence": r"[A-Za-z]+[-_#]\d+",
    "number": r"\d+(?:\.\d+)?",
}  # fmt: skip
"""Kinds of values that can differ from run to run, as expressions; in the order of their search."""

DEFAULT_CLASSES = ("uuid", "ulid", "timestamp", "date", "time", "temporary-path", "local-port")
"""Those that are matched by placeholders unless somebody says otherwise."""

MOMENTS = frozenset({"timestamp", "date", "time", "clock", "epoch"})
"""Kinds whose equal values need not mean the same thing."""

LITERAL = frozenset({"model", "type"})
"""Fields whose text decides the answer, whatever it looks like: the date in a model's name."""


@dataclass(frozen=True)
class Numbered:
    """A request with placeholders in the place of its changing values.

    Attributes:
        request: The request with placeholders.
        values: The values, in the order of their placeholders.
        identities: Those of them that stand for one thing, such as ids.
    """

    request: RecordedRequest
    values: list[str] = field(default_factory=list)
    identities: set[str] = field(default_factory=set)


class _Marks:
    """The placeholders of the values of one request."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self.identities: set[str] = set()

    @property
    def values(self) -> list[str]:
        return list(self._known)

    def of(self, value: str, name: str) -> str:
        if value not in self._known:
            self._counts[name] += 1
            self._known[value] = f"<{name}-{self._counts[name]}>"
            if name not in MOMENTS:
                self.identities.add(value)
        return self._known[value]


class Changing:
    """Finds changing values.

    Args:
        classes: Names of classes, or own ones as `name=expression`; `default` stands for the usual
            ones, and `none` for none.

    Raises:
        ScriptError: If a name is unknown, or an expression can't be used.
    """

    def __init__(self, classes: Iterable[str] = ("default",)) -> None:
        found = _expressions(classes)
        self._names = [name for name, _ in found]
        parts = "|".join(f"(?P<c{n}>{expression})" for n, (_, expression) in enumerate(found))
        self._search = re.compile(f"{LEFT}(?:{parts}){RIGHT}" if found else "(?!)", re.ASCII)

    def numbered(self, request: RecordedRequest) -> Numbered:
        """A request with numbered placeholders; the same value has the same number in all of it."""
        marks = _Marks()
        path, mark, query = request.path.partition("?")
        path = self._replaced(path, marks) + mark + query
        body = self._walked(request.body, marks)
        return Numbered(RecordedRequest(request.method, path, body), marks.values, marks.identities)

    def identities(self, content: bytes) -> set[str]:
        """The values in an answer that stand for one thing, such as ids."""
        marks = _Marks()
        self._replaced(content.decode(errors="replace"), marks)
        return marks.identities

    def _replaced(self, text: str, marks: _Marks) -> str:
        def mark(match: re.Match[str]) -> str:
            number = next(n for n in range(len(self._names)) if match[f"c{n}"] is not None)
            return marks.of(match.group(), self._names[number])

        return self._search.sub(mark, text)

    def _walked(self, value: Any, marks: _Marks) -> Any:
        if isinstance(value, str):
            return self._replaced(value, marks)
        if isinstance(value, list):
            return [self._walked(item, marks) for item in value]
        if isinstance(value, dict):
            # keys that differ in a changing value alone stay in their order
            keys = sorted(value, key=lambda key: self._search.sub("<>", key))
            made = {
                key: (self._replaced(key, marks), self._below(key, value[key], marks))
                for key in keys
            }
            return dict(made[key] for key in value)
        return value

    def _below(self, key: str, value: Any, marks: _Marks) -> Any:
        literal = key in LITERAL and isinstance(value, str)
        return value if literal else self._walked(value, marks)


def _expressions(classes: Iterable[str]) -> list[tuple[str, str]]:
    """Names and expressions, own ones first: they are more particular."""
    own: dict[str, str] = {}
    chosen: set[str] = set()
    for given in classes:
        name, mark, expression = given.partition("=")
        if mark:
            own[name] = _own(name, expression)
        elif name == "default":
            chosen.update(DEFAULT_CLASSES)
        elif name in CLASSES:
            chosen.add(name)
        elif name != "none":
            known = ", ".join(CLASSES)
            raise ScriptError(
                f"{name!r} is no class of changing values: {known}, default, none, or your own as "
                "NAME=EXPRESSION", "--changing",
            )  # fmt: skip
    usual = [(name, CLASSES[name]) for name in CLASSES if name in chosen]
    return [*own.items(), *usual]


def _own(name: str, expression: str) -> str:
    try:
        found = re.compile(expression)
    except re.error as error:
        raise ScriptError(
            f"{expression!r} is no regular expression: {error}", "--changing"
        ) from None
    if not re.fullmatch("[a-z][a-z0-9-]*", name):
        raise ScriptError(f"{name!r} must have small letters, digits and -", "--changing")
    if found.groups or found.match(""):
        raise ScriptError(
            f"{expression!r} must match some text and have no group but (?:...)", "--changing"
        )
    return f"(?:{expression})"


def put_into(content: bytes, values: Mapping[str, str], *, stream: bool) -> bytes:
    """An answer with other values in the place of the recorded ones, in a single pass.

    Args:
        content: The recorded answer.
        values: The values of now, by the recorded ones.
        stream: Whether it is a stream of events, whose texts go on from event to event.
    """
    if all(old == new for old, new in values.items()):
        return content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    # one that is the same can begin with one that is not: a time with its date
    words = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
    search = re.compile(f"{LEFT}(?:{words})(?:{RIGHT}|(?=T\\d))", re.ASCII)
    if stream:
        return edit_events(text, _editing(search, values), everywhere=True).encode()
    return search.sub(lambda match: values[match.group()], text).encode()


def _editing(
    search: re.Pattern[str], values: Mapping[str, str]
) -> Callable[[str], Sequence[tuple[int, int, str]]]:
    return lambda text: [(*match.span(), values[match.group()]) for match in search.finditer(text)]
