"""Secrets are taken out of everything that is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

MASK = "***"
SHORTEST_SECRET = 8

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
        known = sorted({one for one in secrets if len(one) >= SHORTEST_SECRET}, key=len)
        self._known = known[::-1]

    def text(self, text: str) -> str:
        """A text without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return _SHAPES.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, in texts and behind names that say so."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {
                key: MASK if isinstance(one, str) and _NAMES.match(key) else self.value(one)
                for key, one in value.items()
            }
        return value
