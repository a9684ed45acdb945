"""Logs: what processes write becomes lines with a time, masked, bounded, one file a service."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from stackproof.engines.timestamps import timestamp
from stackproof.reaper.ownership import make_folders
from stackproof_redaction import Redactor

LONGEST_LINE = 16 * 1024
"""Characters after which a line is cut, so that one that never ends costs no memory."""

CUT = "…"
"""Ends each part of a line that was cut, but the last one."""

PART = LONGEST_LINE - len(CUT)

LARGEST_FILE = 32 * 1024 * 1024
"""Bytes after which a log is put aside as `NAME.log.1`, in place of an older one."""

KEPT_LINES = 200
"""Lines that are kept in memory, for verdicts."""

CHUNK = 64 * 1024


class LogFile:
    """One log.

    Args:
        path: The file.
        redactor: Masks secrets before a line is written or kept.
        largest: Bytes after which the file is put aside.
    """

    def __init__(self, path: Path, redactor: Redactor, *, largest: int = LARGEST_FILE) -> None:
        self.path = path
        self.redactor = redactor
        self.largest = largest
        self.tail: deque[str] = deque(maxlen=KEPT_LINES)
        self.on_line: Callable[[str], None] | None = None
        make_folders(str(path.parent))
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._file).st_size

    def write(self, stream: str, lines: Sequence[str]) -> None:
        """Mask and write whole lines that arrived together."""
        self.put(stream, self.redactor.lines(lines))

    def put(self, stream: str, masked: Sequence[str], *, goes_on: bool = False) -> None:
        """Write masked lines, cut to a bounded length; `goes_on`: the last one has not ended."""
        prefix = f"{timestamp()} {stream} "
        lines = [part for text in masked for part in parts(readable(text))]
        if goes_on:
            lines[-1] += CUT
        self.tail.extend(lines)
        data = "".join(f"{prefix}{line}\n" for line in lines).encode()
        if self._size + len(data) > self.largest:
            self._put_aside()
        os.write(self._file, data)
        self._size += len(data)
        if self.on_line is not None:
            for line in lines:
                self.on_line(line)

    def _put_aside(self) -> None:
        os.close(self._file)
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self._open()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def last(self, count: int) -> list[str]:
        """The last lines."""
        return list(self.tail)[-count:]


def readable(line: str) -> str:
    """A line without its end, and with what would end it elsewhere as an escape."""
    return line.rstrip("\r").replace("\0", "\\x00").replace("\r", "\\r")


class Pipe:
    """The reading end of a process's output, emptied into a log.

    Args:
        loop: The running event loop.
        log: Where lines go.
        stream: `out` or `err`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, log: LogFile, stream: str) -> None:
        self._loop = loop
        self._log = log
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._masked = ""  # the beginning of an unfinished line that is too long to be kept
        self._rest = ""
        self.reading, self.writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reading, False)
        self.closed: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self.reading, self._read)

    def started(self) -> None:
        """Close the writing end here, so that the end of the last writer is seen."""
        os.close(self.writing)

    def _read(self) -> bool:
        """Read once; tells whether there was something."""
        try:
            data = os.read(self.reading, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        if lines:
            self._finish(lines)
        self._bound()
        return True

    def _finish(self, lines: list[str]) -> None:
        """Write whole lines, of which the first may have been begun already."""
        first, *others = self._log.redactor.lines(lines)
        self._log.put(self._stream, [self._masked + first, *others])
        self._masked = ""

    def _bound(self) -> None:
        """Write what is known of a line that does not end, up to where a secret may begin."""
        redactor = self._log.redactor
        if len(self._rest) > LONGEST_LINE + redactor.longest:
            masked, self._rest = redactor.part(self._rest)
            text = self._masked + masked
            whole = len(text) - len(text) % PART
            self._masked = text[whole:]
            if whole:
                self._log.put(self._stream, [text[:whole]], goes_on=True)

    def drain(self) -> None:
        """Read what has been written so far, then close."""
        while not self.closed.done():
            if not self._read():
                break
        self.close()

    def close(self) -> None:
        """Write what is left of a half line, and stop reading."""
        if self.closed.done():
            return
        self._loop.remove_reader(self.reading)
        os.close(self.reading)
        self._rest += self._decoder.decode(b"", final=True)
        if self._masked or self._rest:
            self._finish([self._rest])
            self._rest = ""
        self.closed.set_result(None)


def parts(line: str) -> list[str]:
    """A line as parts of a bounded length, all but the last one marked."""
    cut = [line[at : at + PART] for at in range(0, max(len(line), 1), PART)]
    return [*(part + CUT for part in cut[:-1]), cut[-1]]
