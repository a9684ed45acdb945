"""Secrets are taken out of everything that is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from stackproof.gateway.provider.stream_masking import Span, mask_events
from stackproof.redaction import Redactor, merged

MASK = "***"

_SHAPES = re.compile(
    r"sk-[A-Za-z0-9_-]{16,}|(?i:bearer)\s+[A-Za-z0-9._~+/=-]{16,}|AKIA[0-9A-Z]{16}"
    r"|AIza[0-9A-Za-z_-]{30,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----"
)
_NAMES = re.compile(r"(?i)^(?:.*[_-])?(?:api[_-]?key|authorization|password|passwd|secret|"
                    r"access[_-]?token|client[_-]?secret)$")  # fmt: skip


class Masker:
    """Takes secrets out of values.

    Args:
        secrets: Texts that are secret, beside those that look so.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = Redactor(secrets, mask=MASK)

    def text(self, text: str) -> str:
        """A text without secrets."""
        return _SHAPES.sub(MASK, self._known.text(text))

    def stream(self, text: str) -> str:
        """A stream of events without secrets, those that are cut over events included."""
        return self.text(mask_events(text, self._spans, MASK))

    def _spans(self, text: str) -> list[Span]:
        shapes = [match.span() for match in _SHAPES.finditer(text)]
        return list(merged(sorted([*self._known.spans(text), *shapes])))

    def data(self, data: bytes) -> bytes:
        """Bytes that are no text, as many as before, without secrets."""
        text = data.decode("utf-8", "surrogateescape")
        return self._known.fill(text).encode("utf-8", "surrogateescape")

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, in texts and behind names that say so."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {
                self.text(key): MASK
                if isinstance(one, str) and _NAMES.match(key)
                else self.value(one)
                for key, one in value.items()
            }
        return value
