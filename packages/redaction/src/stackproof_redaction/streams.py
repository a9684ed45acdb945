"""A text stream that masks what is written to it: a terminal, or a program's own log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class MaskedStream:
    """Passes texts on to a stream, masked.

    Args:
        stream: Where they go.
        mask: Masks a text.
    """

    def __init__(self, stream: Any, mask: Callable[[str], str]) -> None:
        self._stream = stream
        self._mask = mask

    def write(self, text: str) -> int:
        """Write a text."""
        self._stream.write(self._mask(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
