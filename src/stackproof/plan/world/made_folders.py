"""The folders that a Dockerfile makes beside what it copies, and whom they belong to."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stackproof.plan.services.built_stage import Image, Run
from stackproof.plan.world.accounts import Accounts
from stackproof.plan.world.shell import commands_in

MOST_FOLDERS = 200

_OWNER_OPTIONS = ("-o", "--owner")
_GROUP_OPTIONS = ("-g", "--group")
_VALUES = frozenset({"-m", "--mode", "-t", "--target-directory", *_OWNER_OPTIONS, *_GROUP_OPTIONS})


@dataclass
class MadeFolders:
    """What RUN made, with the owners that it gave.

    Attributes:
        owners: Path of each folder that was made, or given to somebody, to its owner.
        made: Those that were made.
        deep: Those whose whole content was given away (`chown -R`).
    """

    owners: dict[str, tuple[int, int]] = field(default_factory=dict)
    made: dict[str, None] = field(default_factory=dict)
    deep: dict[str, tuple[int, int]] = field(default_factory=dict)

    def owner_of(self, path: str) -> tuple[int, int]:
        """User and group of a folder; root where nothing else was said."""
        if path in self.owners:
            return self.owners[path]
        above = [folder for folder in self.deep if path.startswith(folder.rstrip("/") + "/")]
        return self.deep[max(above, key=len)] if above else (0, 0)


def made_folders(image: Image | None, accounts: Accounts) -> MadeFolders:
    """What is seen of `mkdir`, `install --directory` and `chown` in RUN, and of homes and WORKDIR.

    Args:
        image: What the Dockerfile says; None without one.
        accounts: Its users.
    """
    found = MadeFolders()
    if image is None:
        return found
    for home, account in accounts.made_homes.items():
        found.made[home] = None
        found.owners[home] = account.uid, account.gid
    for run in image.runs:
        for words in commands_in(run.text):
            _take(found, accounts, run, words)
    found.made[posixpath.normpath(image.workdir)] = None
    found.made.pop("/", None)
    for path in list(found.made)[MOST_FOLDERS:]:
        del found.made[path]
    return found


def _take(found: MadeFolders, accounts: Accounts, run: Run, words: Sequence[str]) -> None:
    tool, workdir = words[0].rpartition("/")[2], run.workdir
    if tool == "mkdir":
        owner = accounts.ids(run.user)
        for path in _paths(workdir, words[1:]):
            found.made[path] = None
            if owner is not None:
                found.owners[path] = owner
    elif tool == "install" and {"-d", "--directory"} & set(words):
        written = _value(words, _OWNER_OPTIONS) + (
            f":{group}" if (group := _value(words, _GROUP_OPTIONS)) else ""
        )
        owner = accounts.ids(written)
        for path in _paths(workdir, words[1:]):
            found.made[path] = None
            if owner is not None:
                found.owners[path] = owner
    elif tool == "chown":
        _chown(found, accounts, workdir, words[1:])


def _chown(found: MadeFolders, accounts: Accounts, workdir: str, words: Sequence[str]) -> None:
    is_deep = any(
        word in {"-R", "--recursive"} or (word[:1] == "-" and word[1:2] != "-" and "R" in word)
        for word in words
    )
    plain = [word for word in words if not word.startswith("-")]
    owner = accounts.ids(plain[0]) if len(plain) > 1 else None
    if owner is None:
        return
    names_group = ":" in plain[0]
    for path in _paths(workdir, plain[1:]):
        if not names_group:
            owner = owner[0], found.owner_of(path)[1]
        found.owners[path] = owner
        if is_deep:
            found.deep[path] = owner
            below = [known for known in found.owners if known.startswith(path.rstrip("/") + "/")]
            found.owners |= dict.fromkeys(below, owner)


def _paths(workdir: str, words: Sequence[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word in _VALUES:
            next(rest, None)
        elif not word.startswith("-") and not set(word) & set("$*?`\0"):
            yield posixpath.normpath(posixpath.join("/", workdir, word))


def _value(words: Sequence[str], options: Sequence[str]) -> str:
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in options:
            return value if equals else next(iter(words[at + 1 :]), "")
    return ""
