"""Names of variables and fields whose values are secrets without being listed."""

from __future__ import annotations

import re

ENDINGS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "SECRET_KEY", "PRIVATE_KEY",
           "OPENAI_KEY", "ANTHROPIC_KEY", "GEMINI_KEY")  # fmt: skip

_FIELD = re.compile(
    r"(?:^|_)(?:api_?key|authorization|passw(?:or)?d|secret|(?:private|secret)_key"
    r"|(?:access|auth|id|refresh|session)_token)$"
)
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|-")


def tells_a_secret(name: str) -> bool:
    """Whether a variable of that name holds a secret."""
    return name.upper().endswith(ENDINGS)


def field_tells_a_secret(name: str) -> bool:
    """Whether a field of that name, in JSON or a form, holds a secret.

    A field `token` alone does not: so are the pieces of a model's answer called, and page marks.
    """
    return _FIELD.search(_WORD_BEGINS.sub("_", name).lower()) is not None
