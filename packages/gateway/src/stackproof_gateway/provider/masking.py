"""Secrets are taken out of everything that is recorded: recordings are committed."""

from __future__ import annotations

from collections.abc import Iterable

from stackproof_gateway.provider.stream_masking import Span, mask_events
from stackproof_redaction import merged
from stackproof_redaction.published import PublishedRedactor

MASK = "***"


class Masker(PublishedRedactor):
    """Takes secrets out of values.

    Args:
        secrets: Texts that are secret, beside those that look so.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(secrets, mask=MASK)

    def stream(self, text: str) -> str:
        """A stream of events without secrets, those that are cut over events included."""
        return self.text(mask_events(text, self._places, MASK))

    def data(self, data: bytes) -> bytes:
        """Bytes that are no text, as many as before, without secrets."""
        text = data.decode("utf-8", "surrogateescape")
        return self.fill(text).encode("utf-8", "surrogateescape")

    def _places(self, text: str) -> list[Span]:
        return list(merged(self.spans(text)))
