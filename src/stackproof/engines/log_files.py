"""Reading the logs that the supervisor writes: merged by time, cut, followed."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from stackproof.engines.base import LogLine

POLL_SECONDS = 0.1
"""How often a followed log is looked at."""


def read(
    folder: Path, services: Sequence[str] = (), *, tail: int | None = None, since: str = ""
) -> Iterator[LogLine]:
    """Lines of logs, oldest first.

    Args:
        folder: Where the logs are.
        services: Which; none named stands for all.
        tail: Only so many last lines of the merged ones; None for all.
        since: Only lines from this time on.
    """
    sources = [_lines(path) for path in _paths(folder, services)]
    merged = heapq.merge(*sources, key=lambda line: line.at)
    wanted = (line for line in merged if line.at >= since)
    return iter(deque(wanted, maxlen=tail)) if tail is not None else wanted


def _paths(folder: Path, services: Sequence[str]) -> list[Path]:
    if not folder.is_dir():
        return []
    found = sorted(folder.glob("*.log"))
    return [path for path in found if not services or path.stem in services]


def _lines(path: Path) -> Iterator[LogLine]:
    for part in (path.with_name(path.name + ".1"), path):
        if part.exists():
            with part.open(encoding="utf-8", errors="replace", newline="\n") as file:
                for text in file:
                    line = _parse(path.stem, text)
                    if line is not None:
                        yield line


def _parse(service: str, text: str) -> LogLine | None:
    """A line of a log file; None for one that is still being written."""
    if not text.endswith("\n"):
        return None
    at, _, rest = text[:-1].partition(" ")
    stream, _, words = rest.partition(" ")
    return LogLine(at, service, stream, words)


def follow(folder: Path, services: Sequence[str] = ()) -> Iterator[LogLine]:
    """Lines that are written from now on, until the folder is gone."""
    offsets = {path: path.stat().st_size for path in _paths(folder, services)}
    while folder.is_dir():
        fresh: list[LogLine] = []
        for path in _paths(folder, services):
            lines, offsets[path] = _since(path, offsets.get(path, 0))
            fresh += lines
        yield from sorted(fresh, key=lambda line: line.at)
        if not fresh:
            time.sleep(POLL_SECONDS)


def _since(path: Path, offset: int) -> tuple[list[LogLine], int]:
    try:
        with path.open("rb") as file:
            if file.seek(0, 2) < offset:  # put aside by the supervisor: it has begun anew
                offset = 0
            file.seek(offset)
            data = file.read()
    except OSError:
        return [], 0
    whole = data[: data.rfind(b"\n") + 1]
    parsed = [_parse(path.stem, text + "\n") for text in whole.decode(errors="replace").split("\n")]
    return [line for line in parsed[:-1] if line is not None], offset + len(whole)
