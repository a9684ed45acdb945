"""Masks what people publish, such as recordings: known secrets, and what looks like one."""

from __future__ import annotations

import re

from stackproof_redaction import Redactor
from stackproof_redaction.base64_text import Span
from stackproof_redaction.names import field_tells_a_secret

_SHAPES = re.compile(
    r"sk-[A-Za-z0-9_-]{16,}|(?i:bearer)\s+[A-Za-z0-9._~+/=-]{16,}|AKIA[0-9A-Z]{16}"
    r"|AIza[0-9A-Za-z_-]{30,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----"
)


class PublishedRedactor(Redactor):
    """Masks known secrets, keys of well-known forms, and values whose names tell a secret."""

    def spans(self, text: str) -> list[Span]:
        """Where secrets stand, and what has the form of one."""
        shapes = (match.span() for match in _SHAPES.finditer(text))
        return sorted({*super().spans(text), *shapes})

    def _item(self, name: str, item: object, *, numbers: bool) -> object:
        if isinstance(item, str) and field_tells_a_secret(name):
            return self.mask
        return super()._item(name, item, numbers=numbers)
