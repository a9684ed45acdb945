"""A picture of one colour as a PNG file.

Source: W3C, "Portable Network Graphics": one bit a pixel and a palette of one colour, so that a
large picture is a small file.
"""

from __future__ import annotations

import hashlib
import struct
import zlib


def png(width: int, height: int, seed: str, *, transparent: bool = False) -> bytes:
    """A picture.

    Args:
        width: Pixels.
        height: Pixels.
        seed: Chooses the colour.
        transparent: Whether the colour is one that nobody sees.
    """
    colour = hashlib.sha256(seed.encode("utf-8", "replace")).digest()[:3]
    rows = bytes(1 + (width + 7) // 8) * height
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)),
        (b"PLTE", colour),
        *([(b"tRNS", b"\0")] if transparent else []),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def is_picture(data: bytes) -> bool:
    """Whether a file begins as a PNG, JPEG or WebP file does."""
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )
