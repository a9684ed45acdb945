"""Reading what a command writes, with a look at it whenever it keeps silent for long."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Iterator

SILENT_SECONDS = 30.0
"""Compose tells its progress; only what it waits for can take longer without a word."""

END_SECONDS = 5.0


def lines_of(process: subprocess.Popen[bytes], silent: Callable[[], None]) -> Iterator[str]:
    """Each line that a process writes, without its end.

    Args:
        process: Its output is a pipe.
        silent: Called each time that it has said nothing for `SILENT_SECONDS`; may raise.
    """
    assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
    output, rest = process.stdout.fileno(), b""
    while True:
        if not select.select([output], [], [], SILENT_SECONDS)[0]:
            silent()
            continue
        data = os.read(output, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        yield from map(_text, lines)
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process: by SIGTERM, and where that is not enough, by SIGKILL."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
