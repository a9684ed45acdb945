"""What RUN changed of the files that COPY brought: their modes and owners."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.plan.services.built_stage import Copied, Image, Run
from stackproof.plan.world.accounts import Accounts
from stackproof.plan.world.model import NOBODY, Change
from stackproof.plan.world.shell import commands_in

MOST_PLACES = 200
_MODE = re.compile(r"[0-7]{3,4}|[ugoa]*[-+=][rwxX]+(?:,[ugoa]*[-+=][rwxX]+)*")
_OPTIONS = re.compile(r"-[RvfcHLP]+|--(?:recursive|verbose|silent|quiet|changes)")


@dataclass(frozen=True)
class _Command:
    """One chmod or chown.

    Attributes:
        paths: Absolute paths, which may have wildcards.
        mode: What chmod gives; empty for chown.
        owner: What chown gives; a part that it leaves alone is -1.
        deep: Whether it goes for all that is below, too.
        copied: What there was then.
    """

    paths: tuple[str, ...]
    mode: str
    owner: tuple[int, int]
    deep: bool
    copied: frozenset[Copied]


class Changes:
    """All of an image.

    Args:
        image: What the Dockerfile says.
        accounts: Its users.
    """

    def __init__(self, image: Image, accounts: Accounts) -> None:
        self._commands = [
            command
            for run in image.runs
            for words in commands_in(run.text)
            if (command := _command(run, words, accounts)) is not None
        ]

    def of(self, item: Copied, target: str, source: Path) -> tuple[Change, ...]:
        """What was changed of a file or folder.

        Args:
            item: The COPY that brought it.
            target: Its path in the image.
            source: What it is on this machine.
        """
        is_mode = _MODE.fullmatch(item.mode) is not None
        found = [Change(".", item.mode, NOBODY, deep=True)] if is_mode else []
        for command in self._commands:
            if item in command.copied:
                found += [
                    Change(place, command.mode, command.owner, command.deep)
                    for path in command.paths
                    for place in _places(path, target, source, deep=command.deep)
                ]
        return tuple(found)


def _command(run: Run, words: Sequence[str], accounts: Accounts) -> _Command | None:
    tool = words[0].rpartition("/")[2]
    if tool not in {"chmod", "chown"}:
        return None
    options = [word for word in words[1:] if _OPTIONS.fullmatch(word)]
    plain = [word for word in words[1:] if not _OPTIONS.fullmatch(word)]
    if len(plain) < 2:  # noqa: PLR2004 - what is given, and to what
        return None
    mode, owner = "", NOBODY
    if tool == "chmod":
        mode = plain[0]
    else:
        ids = accounts.ids(plain[0])
        if ids is None:
            return None
        owner = (ids[0] if plain[0][0] != ":" else -1, ids[1] if ":" in plain[0] else -1)
    if mode and not _MODE.fullmatch(mode):
        return None
    paths = tuple(
        posixpath.normpath(posixpath.join("/", run.workdir, word))
        for word in plain[1:]
        if not set(word) & set("$`\0")
    )
    deep = any(option == "--recursive" or "R" in option for option in options)
    return _Command(paths, mode, owner, deep, frozenset(run.copied))


def _places(path: str, target: str, source: Path, *, deep: bool) -> Iterator[str]:
    """What a path means of a folder that lies at a target, relative to it."""
    inside = posixpath.relpath(path, target)
    if inside == ".." or inside.startswith("../"):
        if deep and posixpath.commonpath([path, target]) == path:
            yield "."
        return
    if inside == ".":
        yield inside
    elif set(inside) & set("*?["):
        try:
            matching = sorted(source.glob(inside))[:MOST_PLACES]
        except (OSError, ValueError, NotImplementedError):
            return
        yield from (str(one.relative_to(source)) for one in matching)
    elif (source / inside).exists():
        yield inside
