"""The gateway's own secrets are taken out of what it shows."""

from __future__ import annotations

from collections.abc import Iterable

MASK = b"***"
SHORTEST = 8
SHORT = 200
"""Letters of a reply that the journal keeps."""


class Hiding:
    """Takes a few known texts out of bytes.

    Args:
        secrets: The texts; those shorter than 8 letters are words, and left out.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = sorted(
            {one.encode() for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True
        )

    def short(self, text: bytes) -> str:
        """The beginning of a text; a secret that the cut goes through is taken out before."""
        return self.hide(text).decode("utf-8", "replace")[:SHORT]

    def hide(self, data: bytes) -> bytes:
        """The bytes without the secrets."""
        for one in self._known:
            if one in data:
                data = data.replace(one, MASK)
        return data
