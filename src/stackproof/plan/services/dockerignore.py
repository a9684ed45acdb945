"""What of a build context goes to the builder: all but what `.dockerignore` leaves out.

Source: Docker documentation, "Build context", ".dockerignore files"; moby/patternmatcher, which
compares each path and the folders that it lies in, and of whose patterns the last that fits counts.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stackproof.stack_file.model import Build
from stackproof.stack_file.regular_files import read_text_file


def ignore_files(build: Build) -> tuple[Path, Path]:
    """Where the builder looks for what it leaves out: the first file that is there counts.

    A `.dockerignore` beside the Dockerfile, named after it, wins over that of the context (Docker
    documentation, "Build context", "Filename and location").
    """
    dockerfile = Path(build.dockerfile)
    own = build.context / dockerfile.with_name(dockerfile.name + ".dockerignore")
    return own, build.context / ".dockerignore"


def context_files(build: Build) -> list[str]:
    """The files, folders and links in the build context that go to the builder, in order."""
    return sorted(path for path, is_sent in _walked(build) if is_sent)


def hidden_paths(build: Build) -> tuple[str, ...]:
    """The paths in the build context that no COPY sees; of a folder that is left out, itself."""
    if not any(path.is_file() for path in ignore_files(build)):
        return ()
    found = dict(_walked(build))
    seen = {posixpath.dirname(path) for path, is_sent in found.items() if is_sent}
    seen |= {str(parent) for path in seen for parent in Path(path).parents}
    left_out = [path for path, is_sent in found.items() if not is_sent and path not in seen]
    outer = set(left_out)
    return tuple(sorted(path for path in left_out if posixpath.dirname(path) not in outer))


def fits(path: str, written: Iterable[str]) -> bool:
    """Whether a relative path, or a folder that it lies in, fits patterns of a `.dockerignore`.

    Args:
        path: The path, with `/` between its parts.
        written: The patterns, as lines of the file.
    """
    return _is_left_out(path, _read_patterns(written))


@dataclass(frozen=True)
class _Pattern:
    written: str
    regex: re.Pattern[str]
    is_exception: bool


def _walked(build: Build) -> Iterator[tuple[str, bool]]:
    """Each path of the context that is looked at, and whether it goes to the builder."""
    patterns = _patterns(build)
    exceptions = [pattern.written for pattern in patterns if pattern.is_exception]
    for folder, names, files in os.walk(build.context):
        below = os.path.relpath(folder, build.context)
        for name in sorted((*names, *files)):
            path = posixpath.normpath(posixpath.join(below, name))
            is_sent = not _is_left_out(path, patterns)
            yield path, is_sent
            is_folder = name in names and not Path(folder, name).is_symlink()
            if is_folder and not is_sent and not _may_hold(path, exceptions):
                names.remove(name)


def _patterns(build: Build) -> list[_Pattern]:
    file = next((path for path in ignore_files(build) if path.is_file()), None)
    if file is None:
        return []
    try:
        text = read_text_file(file, errors="replace")
    except OSError:  # Docker says what is wrong with it
        return []
    return _read_patterns(text.splitlines())


def _read_patterns(lines: Iterable[str]) -> list[_Pattern]:
    found = []
    for line in lines:
        written = line.strip()
        if not written or line.startswith("#"):
            continue
        is_exception = written.startswith("!")
        written = posixpath.normpath(written.removeprefix("!").strip()).lstrip("/")
        if written:
            found.append(_Pattern(written, _regex(written), is_exception))
    return found


def _is_left_out(path: str, patterns: list[_Pattern]) -> bool:
    parts = path.split("/")
    places = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
    found = False
    for pattern in patterns:
        if pattern.is_exception == found and any(map(pattern.regex.fullmatch, places)):
            found = not pattern.is_exception
    return found


def _may_hold(folder: str, exceptions: list[str]) -> bool:
    """Whether something in a folder that is left out may be let in again."""
    return any(
        set(written) & set("*?[\\") or written.startswith(folder + "/") for written in exceptions
    )


def _regex(written: str) -> re.Pattern[str]:
    try:
        return re.compile("".join(_parts(written)), re.DOTALL)
    except re.error:
        return re.compile(re.escape(written))


_TOKEN = re.compile(r"(?:\*\*/)+|\*{2,}|\*|\?|\\.|\[[^\[\]]{1,100}\]|.", re.DOTALL)


def _parts(written: str) -> Iterator[str]:
    for match in _TOKEN.finditer(written):
        sign = match[0]
        if sign.startswith("**"):
            yield "(?:[^/]+/)*" if sign.endswith("/") else ".*"
        elif sign == "*":
            yield "[^/]*"
        elif sign == "?":
            yield "[^/]"
        elif sign[0] == "[" and len(sign) > 1:
            yield _one_of(sign[1:-1])
        else:
            yield re.escape(sign.removeprefix("\\") or sign)


_MEMBER = re.compile(r"\\?(.)(?:-\\?(.))?", re.DOTALL)
"""A letter, or the first and the last one of a range; a backslash takes away a meaning."""


def _one_of(written: str) -> str:
    """The letters in a pair of brackets; Python has a meaning for `&&`, `--` and others there."""
    is_other = written[0] in "^!" and len(written) > 1
    members = _MEMBER.finditer(written[1:] if is_other else written)
    texts = ("-".join(re.escape(one) for one in found.groups() if one) for found in members)
    return f"[{'^' if is_other else ''}{''.join(texts)}]"
