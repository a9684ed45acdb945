"""Texts that a client carries without reading them, and gives back unchanged.

Providers encrypt what a model thinks. The gateway only encodes it, with a check sum, so that it
needs no memory: an answer is the same bytes in each run, and a history may come from an earlier
one.
"""

from __future__ import annotations

import base64
import hashlib

_SUM = 16


def sealed(text: str, kind: str) -> str:
    """A text in a form that `opened` reads.

    Args:
        text: The text.
        kind: What it is; a seal of another kind can't stand for it.
    """
    data = text.encode("utf-8", "surrogatepass")
    return base64.b64encode(_sum(data, kind) + data).decode("ascii")


def opened(seal: str, kind: str) -> str | None:
    """The text of a seal; None if it is none of that kind, or was changed."""
    try:
        data = base64.b64decode(seal, validate=True)
        text = data[_SUM:].decode("utf-8", "surrogatepass")
    except ValueError:
        return None
    return text if sealed(text, kind) == seal else None


def _sum(data: bytes, kind: str) -> bytes:
    return hashlib.sha256(f"stackproof {kind}\0".encode() + data).digest()[:_SUM]
