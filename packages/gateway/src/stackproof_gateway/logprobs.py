"""Log probabilities of a text: the same for the same text, and of the provider's form.

Source: OpenAI API reference, "The chat completion object", `logprobs`. Each piece of a stream is a
token; nothing computes how likely it was, so the numbers only fall from the first to the last.
"""

from __future__ import annotations

import math
from typing import Any

CHANCE = 0.9
"""Chance of the token that was chosen; each alternative gets that share of what is left."""


def logprobs_of(tokens: list[str], alternatives: int) -> list[dict[str, Any]]:
    """What `logprobs.content` holds.

    Args:
        tokens: The tokens.
        alternatives: How many tokens each place lists, the chosen one first.
    """
    return [
        {
            **_entry(token, 0),
            "top_logprobs": [
                _entry(token if at == 0 else f"{token}~{at}", at) for at in range(alternatives)
            ],
        }
        for token in tokens
    ]


def _entry(token: str, place: int) -> dict[str, Any]:
    chance = CHANCE * (1 - CHANCE) ** place
    return {
        "token": token,
        "logprob": round(math.log(chance), 6),
        "bytes": list(token.encode("utf-8", "replace")),
    }
