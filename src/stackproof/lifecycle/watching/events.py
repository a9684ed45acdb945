"""Hears of changes below folders, by the kernel's events."""

from __future__ import annotations

import errno
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stackproof.errors import EngineUnavailable, StackproofError

if TYPE_CHECKING:
    from collections.abc import Generator

TICK = 200
"""Milliseconds after which `next` gives nothing."""

STEP = 60
"""Milliseconds of silence that end a burst."""

BURST = 1500
"""Milliseconds after which a burst is taken as it is."""


class Events(Protocol):
    """Changes of files."""

    def next(self) -> frozenset[Path]:
        """Paths that have changed since the last call; waits a little for the first one."""

    def close(self) -> None:
        """Listen no more."""


def require_events() -> None:
    """Make sure that changes of files can be heard of.

    Raises:
        EngineUnavailable: If the library for it is not installed.
    """
    if find_spec("watchfiles") is None:
        raise EngineUnavailable(
            "changes of files can't be watched here",
            checked=["the package watchfiles, which is not installed"],
            remedy="install the extra `watch`: pip install 'stackproof[watch]'",
        )


class FileEvents:
    """Changes in folders, as watchfiles tells of them; a burst of changes is one.

    Folders below them are listened to where they are named themselves.

    Args:
        folders: Where to listen from now on.

    Raises:
        StackproofError: If the machine has no room for so many.
    """

    def __init__(self, folders: Collection[Path]) -> None:
        import watchfiles

        there = sorted(str(folder) for folder in folders if folder.is_dir())
        self._changes: Generator[set[tuple[watchfiles.Change, str]], None, None] = watchfiles.watch(
            *there,
            watch_filter=None,
            debounce=BURST,
            step=STEP,
            rust_timeout=TICK,
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
        )
        try:
            self._first = self._read()  # it listens from here on
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EMFILE}:
                raise
            raise StackproofError(
                f"{len(there)} folders can't be watched: {error.strerror}",
                remedy="raise fs.inotify.max_user_watches and max_user_instances (sysctl), or let "
                ".dockerignore leave out what no service needs",
            ) from None

    def _read(self) -> frozenset[Path]:
        return frozenset(Path(path) for _, path in next(self._changes))

    def next(self) -> frozenset[Path]:
        """Paths that have changed since the last call; waits a little for the first one."""
        if self._first:
            found, self._first = self._first, frozenset()
            return found
        return self._read()

    def close(self) -> None:
        """Listen no more."""
        self._changes.close()
