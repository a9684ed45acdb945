"""The first error that a program wrote, with its place in the source, read from its output.

Known are tracebacks of Python, Node, Java, Go and Ruby, JSON lines, and lines that begin with a
level such as ERROR.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

LONGEST_LINE = 2000
"""Characters of a line that are looked at."""

LONGEST_TRACE = 400
"""Lines of one traceback that are looked at."""

LONGEST_MESSAGE = 200
"""Characters of a message that are told."""

NEAR = 3
"""A traceback that begins within so many lines of an error line says more than the line."""

_PYTHON = re.compile(r"^[\s|+]*(?P<group>Exception Group )?Traceback \(most recent call last\):")
_PYTHON_FRAME = re.compile(r'^[\s|]*File "(?P<file>[^"]+)", line (?P<line>\d+)')
_PYTHON_END = re.compile(r"^[\s|]*(?P<error>[A-Za-z_][\w.]*(?:: .*|\s*))$")
_NAMED = re.compile(
    r"^(?:Uncaught )?(?P<error>(?:[\w$]+\.)*[A-Z][\w$]*(?:Error|Exception|Throwable)\b.*)"
)
_THREAD = re.compile(r'^Exception in thread "[^"]*" ')
_CAUSE = re.compile(r"^Caused by: (?P<error>.+)")
_FRAME = re.compile(
    r"^\s+at (?:[^()\n]*\()?(?:file://)?(?P<file>[^():\s][^():]*):(?P<line>\d+)(?::\d+)?\)?\s*$"
)
_GO = re.compile(r"^(?P<error>(?:panic|fatal error): .+)")
_GO_FRAME = re.compile(r"^\s+(?P<file>/\S+\.go):(?P<line>\d+)")
_RUBY = re.compile(r"^(?P<file>[^\s:]+\.rb):(?P<line>\d+):in (?P<rest>.+)$")
_RUBY_KIND = re.compile(r"[A-Z][\w:]*")
_LEVEL = re.compile(
    r"^(?P<before>.{0,120}?)(?:"
    r"(?<![\w/-])(?:ERROR|CRITICAL|FATAL|PANIC|SEVERE)(?![\w-])"
    r'|(?:\[|level="?)(?:error|crit|critical|fatal|panic|alert|emerg)["\]]?(?!\w)'
    r"|(?<!\S)(?:error|fatal): )(?P<rest>.*)$"
)
_MESSAGE = re.compile(r'\bmsg="?(?P<text>[^"]+)')
_LIBRARIES = ("site-packages/", "dist-packages/", "/lib/python", "<frozen", "node_modules/",
              "node:", "/usr/local/go/", "/go/pkg/mod/", "internal/")  # fmt: skip


@dataclass(frozen=True)
class FirstError:
    """An error that a program wrote.

    Attributes:
        line: Index of the line where it begins.
        text: What went wrong, such as `KeyError: 'pear'`.
        place: Where, such as `shop/main.py:41`; empty where nothing says so.
    """

    line: int
    text: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.text} ({self.place})" if self.place else self.text


def first_error(lines: Sequence[str], roots: Sequence[str] = ()) -> FirstError | None:
    """Find the first error that a program wrote.

    Of a chain of Python errors it is the first one; of Java's, the last cause; both are where it
    began.

    Args:
        lines: What the program wrote, oldest first.
        roots: Folders that are left out at the front of a place.

    Returns:
        The error; None where no line tells of any. Never raises, and looks at each line a bounded
        number of times.
    """
    for number in range(len(lines)):
        found = _traceback(lines, number, roots) or _reported(lines, number, roots)
        if found is not None:
            return found
    return None


def _traceback(lines: Sequence[str], number: int, roots: Sequence[str]) -> FirstError | None:
    for read in (_python, _with_frames, _go, _ruby):
        found = read(lines, number, roots)
        if found is not None:
            return found
    return None


def _reported(lines: Sequence[str], number: int, roots: Sequence[str]) -> FirstError | None:
    """An error line; the traceback right behind it where there is one."""
    text = _json_error(lines[number], roots) or _level(_cut(lines[number]))
    if not text:
        return None
    if isinstance(text, FirstError):
        return FirstError(number, text.text, text.place)
    for near in range(number + 1, min(number + 1 + NEAR, len(lines))):
        found = _traceback(lines, near, roots)
        if found is not None:
            return found
    return FirstError(number, _shortened(text))


def _python(lines: Sequence[str], number: int, roots: Sequence[str]) -> FirstError | None:
    """A traceback of Python, also inside an exception group, whose lines have a margin."""
    head = _PYTHON.match(_cut(lines[number]))
    if head is None:
        return None
    if head["group"]:
        return _of_the_group(lines, number, roots)
    places: list[tuple[str, str]] = []
    for line in _following(lines, number):
        frame, end = _PYTHON_FRAME.match(line), _PYTHON_END.match(line)
        if frame is not None:
            places.append((frame["file"], frame["line"]))
        elif end is not None and places and not _is_source(line):
            return FirstError(number, _shortened(end["error"]), _place(places, roots, last=True))
    return None


def _of_the_group(lines: Sequence[str], number: int, roots: Sequence[str]) -> FirstError | None:
    """The first error inside an exception group."""
    for inner, line in enumerate(_following(lines, number), number + 1):
        head = _PYTHON.match(line)
        if head is not None and not head["group"]:
            return _python(lines, inner, roots)
    return None


def _is_source(line: str) -> bool:
    """Whether it is a line of source below a frame, which is indented by four."""
    return re.match(r"^[\s|]*\s{4}[^\s|]", line) is not None


def _with_frames(lines: Sequence[str], number: int, roots: Sequence[str]) -> FirstError | None:
    """A traceback of Node or Java: a name, and lines that begin with `at` behind it."""
    head = _NAMED.match(_THREAD.sub("", _cut(lines[number])))
    if head is None:
        return None
    error, places, seen = head["error"], list[tuple[str, str]](), 0
    for line in _following(lines, number):
        cause, frame = _CAUSE.match(line), _FRAME.match(line)
        if cause is not None:
            error, places = cause["error"], []
        elif frame is not None:
            places.append((frame["file"], frame["line"]))
            seen += 1
        elif not line.startswith((" ", "\t")) and seen:
            break
    return FirstError(number, _shortened(error), _place(places, roots)) if seen else None


def _go(lines: Sequence[str], number: int, roots: Sequence[str]) -> FirstError | None:
    head = _GO.match(_cut(lines[number]))
    if head is None:
        return None
    frames = (_GO_FRAME.match(line) for line in _following(lines, number))
    places = [(frame["file"], frame["line"]) for frame in frames if frame is not None]
    return FirstError(number, _shortened(head["error"]), _place(places, roots))


def _ruby(lines: Sequence[str], number: int, roots: Sequence[str]) -> FirstError | None:
    head = _RUBY.match(_cut(lines[number]))
    if head is None:
        return None
    _, colon, rest = head["rest"].partition(": ")
    text, opening, kind = rest.rpartition(" (")
    if not colon or not opening or not _RUBY_KIND.fullmatch(kind.removesuffix(")")):
        return None
    place = _place([(head["file"], head["line"])], roots)
    return FirstError(number, _shortened(f"{kind.removesuffix(')')}: {text}"), place)


def _json_error(line: str, roots: Sequence[str]) -> FirstError | str:
    """What a line of JSON says that has the level of an error."""
    text = line.strip()
    if not text.startswith("{") or not text.endswith("}"):
        return ""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    levels = (entry.get(key) for key in ("level", "severity", "levelname", "log.level"))
    if not any(str(level).lower() in {"error", "critical", "fatal", "panic"} for level in levels):
        return ""
    traces = (
        entry.get(key) for key in ("exc_info", "exception", "stack", "traceback", "stack_trace")
    )
    for trace in traces:
        found = first_error(_without_json(str(trace)), roots) if isinstance(trace, str) else None
        if found is not None:
            return found
    messages = (entry.get(key) for key in ("message", "msg", "event", "error"))
    return str(next((message for message in messages if message), text))


def _without_json(text: str) -> list[str]:
    """The lines of a traceback inside JSON; those that are JSON again are not looked into."""
    return [line for line in text.split("\n")[:LONGEST_TRACE] if not line.lstrip().startswith("{")]


def _level(line: str) -> str:
    """What a line says behind a level such as ERROR, or `level=error`."""
    found = _LEVEL.match(line)
    if found is None or _is_prose(found["before"]):
        return ""
    rest = found["rest"].strip()
    message = _MESSAGE.search(rest)
    text = message["text"] if message is not None else re.sub(r"^[\s\]:|/-]+", "", rest)
    return text if any(letter.isalpha() for letter in text) else ""


def _is_prose(text: str) -> bool:
    """Whether a text has words such as those of a sentence, rather than a time and a name."""
    words = [word for word in text.split() if word.isalpha() and word.islower()]
    return len(words) > 1


def _following(lines: Sequence[str], number: int) -> Iterator[str]:
    end = min(number + 1 + LONGEST_TRACE, len(lines))
    return (_cut(lines[index]) for index in range(number + 1, end))


def _cut(line: str) -> str:
    return line[:LONGEST_LINE]


def _shortened(text: str) -> str:
    text = text.strip()
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + " …"


def _place(places: Sequence[tuple[str, str]], roots: Sequence[str], *, last: bool = False) -> str:
    """The innermost place in the program's own source, or the innermost at all."""
    ordered = list(reversed(places)) if last else list(places)
    own = [place for place in ordered if not any(part in place[0] for part in _LIBRARIES)]
    if not ordered:
        return ""
    file, line = (own or ordered)[0]
    path = PurePosixPath(file)
    for root in roots:
        if root and path.is_relative_to(root):
            return f"{path.relative_to(root)}:{line}"
    return f"{path}:{line}"
