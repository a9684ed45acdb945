"""Texts of a known length."""

LIMIT = 12_000
"""Tokens that a conversation may have, by config/memory.yaml."""


def words(count: int) -> str:
    """A text of so many words, each a token of the gateway, in paragraphs."""
    paragraphs = [
        " ".join(f"word{number}" for number in range(first, min(first + 50, count)))
        for first in range(0, count, 50)
    ]
    return "\n\n".join(paragraphs)


LONG = words(LIMIT + 1)
