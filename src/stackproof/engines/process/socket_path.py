"""Unix sockets whose path is longer than the kernel's address can hold."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_PATH = 100
"""sockaddr_un holds 108 bytes on Linux (unix(7)), 104 elsewhere."""


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """An address by which a socket at a path can be bound or reached.

    Args:
        path: Where the socket is; its folder must exist.
    """
    if len(os.fsencode(path)) <= LONGEST_PATH or not sys.platform.startswith("linux"):
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
