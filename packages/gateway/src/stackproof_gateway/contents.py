"""Bytes of files: small ones are in memory, others in a file of the disk that has no name."""

from __future__ import annotations

import io
import weakref
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Self

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stackproof_gateway.delivery import chunk

MOST_IN_MEMORY = 1024 * 1024
PIECE = 64 * 1024


class Contents:
    """The bytes of a file, which many can read at the same time.

    Args:
        file: Where they are, if there are any; it is closed when nobody needs them any more.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._file = file = spool() if file is None else file
        weakref.finalize(self, file.close)
        self.size = file.seek(0, io.SEEK_END)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Bytes that are in memory."""
        return cls(io.BytesIO(data))

    @classmethod
    def joined(cls, parts: list[Contents]) -> Self:
        """The bytes of several, one after another."""
        made = cls()
        for part in parts:
            for piece in part.pieces():
                made.write(piece)
        return made

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""
        self._file.seek(0, io.SEEK_END)
        self._file.write(data)
        self.size += len(data)

    def read(self) -> bytes:
        """All bytes."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """All bytes, 64 KiB at a time."""
        at = 0
        while at < self.size:
            self._file.seek(at)
            piece = self._file.read(PIECE)
            at += len(piece)
            yield piece

    def lines(self) -> Iterator[bytes]:
        """The lines, without their ends."""
        rest = b""
        for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest


def spool() -> IO[bytes]:
    """A new file of that kind, to be written."""
    return SpooledTemporaryFile(MOST_IN_MEMORY)


class Download(Response):
    """The bytes of a file as an answer, piece by piece.

    Args:
        contents: The bytes.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        first = next(contents.pieces(), b"")
        super().__init__(first, media_type="application/octet-stream")
        self.headers["content-length"] = str(contents.size)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        for piece in self._contents.pieces():
            await send(chunk(piece))
        await send({"type": "http.response.body", "body": b""})
