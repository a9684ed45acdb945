"""Reads files that a person's stack names: regular ones of a bounded size, without ever waiting.

Opening a FIFO waits for a writer, and `/dev/zero` has no end; both are refused by their kind.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST = 10 * 1024 * 1024
"""Bytes of a file that a person has written; real ones have a few thousand."""

LONGEST_PATH = 300
"""Characters of a path that an error shows."""

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def read_file(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a regular file.

    Args:
        path: The file; symbolic links are followed.
        largest: Bytes that it may have.

    Raises:
        OSError: If it can't be read, is no regular file or is larger; `strerror` says why.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "its path has a NUL character")
    try:
        _refuse_other_kinds(path.stat())  # before it is opened: opening a device can act on it
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except UnicodeEncodeError:
        raise OSError(errno.EINVAL, "its path can't be written in this system's encoding") from None
    with os.fdopen(handle, "rb") as file:
        _refuse_other_kinds(os.fstat(handle))
        data = file.read(largest + 1)
    if len(data) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest >> 20} MiB")
    return data


def read_text_file(
    path: Path, largest: int = LARGEST, *, errors: str = "strict", any_line_ends: bool = False
) -> str:
    """The text of a regular file in UTF-8, without a byte order mark, its line ends those of Unix.

    Args:
        path: The file.
        largest: Bytes that it may have.
        errors: What becomes of bytes that are no UTF-8, as `bytes.decode` takes it.
        any_line_ends: Whether line ends stay as they are.

    Raises:
        OSError: As `read_file`, and if it is not UTF-8 or has a NUL character.
    """
    data = read_file(path, largest)
    try:
        text = data.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise OSError(errno.EILSEQ, f"line {line} is not UTF-8 text") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise OSError(errno.EILSEQ, f"it is not text: line {line} has a NUL character")
    text = text.removeprefix("\ufeff")
    return text if any_line_ends else text.replace("\r\n", "\n").replace("\r", "\n")


def refuse_special(path: Path) -> None:
    """Make sure that a file is a regular one, whatever its size is.

    Args:
        path: The file; symbolic links are followed.

    Raises:
        OSError: If it is not; `strerror` says what it is.
    """
    _refuse_other_kinds(path.stat())


def real_path(folder: Path, written: str) -> Path:
    """A path relative to a folder, links followed and `~` expanded as far as that is possible."""
    return Path(os.path.realpath(folder / os.path.expanduser(written)))  # noqa: PTH111 - pathlib's raises for a circle of links, and for an unknown user


def shown_path(path: Path) -> str:
    """A path as an error can show it: printable, and not too long."""
    shown = str(path).encode("utf-8", "backslashreplace").decode()
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in shown)
    return shown if len(shown) <= LONGEST_PATH else f"{shown[:LONGEST_PATH]}…"


def _refuse_other_kinds(found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a file")
