"""What becomes of each proposed file beside the one that is there: nothing of a user's is lost."""

from __future__ import annotations

import difflib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stackproof.errors import StorageFailed
from stackproof.stack_file.regular_files import read_text_file

MARK = "# Made by `stackproof init`, which updates it until somebody edits it: "
"""The first line of a file that `init` has made; a digest of all other lines follows."""

DIGITS = 12

State = Literal["new", "same", "update", "yours"]


@dataclass(frozen=True)
class Proposed:
    """A file as it shall be.

    Attributes:
        name: Its path, relative to the project.
        text: All of it.
        is_addition: Whether it is a user's file with lines added at its end.
    """

    name: str
    text: str
    is_addition: bool = False


@dataclass(frozen=True)
class Change:
    """What becomes of one file.

    Attributes:
        file: As it shall be.
        before: As it is; None where it is not there.
        state: `new`, `same`, `update`, or `yours` for a file that stays as it is.
    """

    file: Proposed
    before: str | None
    state: State

    @property
    def is_written(self) -> bool:
        """Whether the file on disk changes."""
        return self.state in {"new", "update"}

    def diff(self) -> Iterator[str]:
        """The lines that differ, as `diff -u` shows them."""
        name = self.file.name
        return difflib.unified_diff(
            (self.before or "").splitlines(),
            self.file.text.splitlines(),
            "/dev/null" if self.before is None else name,
            name,
            lineterm="",
        )


def marked(text: str) -> str:
    """A text with the line before it that tells later whether somebody has edited it."""
    return f"{MARK}{_digest(text)}\n{text}"


def is_unedited(text: str) -> bool:
    """Whether a file is as `init` has made it."""
    first, _, rest = text.partition("\n")
    return first == f"{MARK}{_digest(rest)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def change_of(root: Path, file: Proposed) -> Change:
    """What becomes of a file.

    Args:
        root: The project's folder.
        file: As it shall be.

    Raises:
        StorageFailed: If the one that is there can't be read.
    """
    before = _before(root / file.name)
    if before is None:
        return Change(file, None, "new")
    if before == file.text:
        return Change(file, before, "same")
    if (file.is_addition or is_unedited(before)) and not (root / file.name).is_symlink():
        return Change(file, before, "update")
    return Change(file, before, "yours")


def _before(path: Path) -> str | None:
    if not os.path.lexists(path):
        return None
    try:
        return read_text_file(path)
    except OSError as error:
        raise StorageFailed(
            f"{path} can't be read",
            observed=error.strerror or str(error),
            remedy="move it away, or correct its rights",
        ) from None


def write(root: Path, change: Change) -> None:
    """Write a file, all at once; one that appeared or changed meanwhile is left alone.

    Args:
        root: The project's folder.
        change: What becomes of it.

    Raises:
        StorageFailed: If it can't be written.
    """
    path = root / change.file.name
    try:
        if _before(path) != change.before:
            raise StorageFailed(
                f"{path} has changed meanwhile, and was left alone",
                remedy="run `stackproof init` again",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, change)
    except OSError as error:
        raise StorageFailed(
            f"{path} can't be written",
            observed=error.strerror or str(error),
            remedy="correct the rights of the folder, and run `stackproof init` again",
        ) from error


def _replace(path: Path, change: Change) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with draft.open("x", encoding="utf-8") as file:
        file.write(change.file.text)
    try:
        if change.before is None:
            os.link(draft, path)  # fails where somebody else was faster
        else:
            shutil.copymode(path, draft)
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
