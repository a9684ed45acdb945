"""The instructions of a Dockerfile, one by one: continued lines and here-documents joined."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FLAGS = re.compile(r"^(?:--[\w-]+(?:=\S*)?\s+)*")
"""The options that an instruction begins with, such as `--from=build`."""

_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        line: The line that it begins in, counted from 1.
        keyword: In upper case.
        rest: What follows; of RUN with the lines of its here-documents.
        heredocs: How many here-documents it has.
        feeds: Whether a command of RUN reads them; else they are its script.
    """

    line: int
    keyword: str
    rest: str
    heredocs: int = 0
    feeds: bool = False


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions; the lines of here-documents of COPY and ADD are left out."""
    escape = "`" if re.search(r"^#\s*escape\s*=\s*`", text, re.MULTILINE) else "\\"
    lines = enumerate(text.splitlines(), 1)
    for number, line in lines:
        parts = [line.strip()]
        if not parts[0] or parts[0].startswith("#"):
            continue
        while parts[-1].endswith(escape):
            _, following = next(lines, (0, None))
            if following is None:
                break
            if following.strip().startswith("#"):
                continue
            parts[-1] = parts[-1][:-1]
            parts.append(following.strip())
        keyword, _, rest = " ".join(parts).partition(" ")
        keyword = keyword.upper()
        ends = _HEREDOC.findall(rest) if keyword in {"RUN", "COPY", "ADD"} else []
        body = [inner for end in ends for inner in _body(lines, end)]
        head = _HEREDOC.sub("", rest)
        feeds = bool(ends) and bool(FLAGS.sub("", f"{head.strip()} ").strip())
        if ends and keyword == "RUN":
            rest = "\n".join([head, *body])
        yield Instruction(number, keyword, rest.strip(), len(ends), feeds)


def until(text: str, is_over: Callable[[], bool]) -> Iterator[Instruction]:
    """The instructions up to a stage.

    Args:
        text: The Dockerfile.
        is_over: Asked when a stage begins: whether the one that was wanted has been read.
    """
    for instruction in instructions(text):
        if instruction.keyword == "FROM" and is_over():
            return
        yield instruction


def _body(lines: Iterator[tuple[int, str]], end: str) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == end:
            return
        yield line.strip()


def has_heredoc(rest: str) -> bool:
    """Whether an instruction takes a here-document."""
    return _HEREDOC.search(rest) is not None


def command_of(rest: str) -> tuple[str, ...]:
    """ENTRYPOINT or CMD as a command: the exec form as it is, the shell form with its shell."""
    exec_form = json_list(rest)
    return exec_form if exec_form is not None else ("/bin/sh", "-c", rest.strip())


def json_list(text: str) -> tuple[str, ...] | None:
    """A list of texts, such as `["a", "b"]`; None for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def words_of(text: str) -> list[str]:
    """The words of a line, quotes taken away; divided at blanks where they don't match."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
