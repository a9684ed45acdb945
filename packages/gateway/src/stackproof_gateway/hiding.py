"""The gateway's own secrets are taken out of what it shows.

They are searched for as they are, which takes a microsecond a call; what is recorded, and what
stackproof keeps of the journal, passes the redactor, which knows every spelling and takes a
thousand.
"""

from __future__ import annotations

from collections.abc import Iterable

MASK = "***"
SHORTEST = 8
SHORT = 200
"""Letters of a reply that the journal keeps."""


class Hiding:
    """Takes a few known texts out of bytes.

    Args:
        secrets: The texts; those shorter than 8 letters are words, and left out.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        told = {secret for secret in secrets if len(secret) >= SHORTEST}
        self._words = sorted(told, key=len, reverse=True)
        self._known = [(word.encode(), MASK.encode()) for word in self._words]

    def short(self, text: str) -> str:
        """The beginning of a text; a secret that the cut goes through is taken out before."""
        return self.text(text)[:SHORT]

    def text(self, text: str) -> str:
        """A text without the secrets, and without what UTF-8 has no bytes for."""
        for word in self._words:
            if word in text:
                text = text.replace(word, MASK)
        return text if text.isascii() else text.encode("utf-8", "replace").decode()

    def hide(self, data: bytes) -> bytes:
        """The bytes without the secrets."""
        for word, mask in self._known:
            if word in data:
                data = data.replace(word, mask)
        return data
