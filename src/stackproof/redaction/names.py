"""Names of variables whose values are secrets without being listed."""

from __future__ import annotations

ENDINGS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "SECRET_KEY", "PRIVATE_KEY",
           "OPENAI_KEY", "ANTHROPIC_KEY")  # fmt: skip


def tells_a_secret(name: str) -> bool:
    """Whether a variable of that name holds a secret."""
    return name.upper().endswith(ENDINGS)
