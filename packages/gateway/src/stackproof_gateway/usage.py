"""The tokens of an answer: counted, or as a script says, in the forms that OpenAI has for them.

Source: OpenAI API reference and the types of its SDK 3.52, `CompletionUsage` and `ResponseUsage`.
"""

from __future__ import annotations

from typing import Any

NAMES = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_write_1h_tokens",
)
"""Counts that a script can say: the gateway's names, and those of Anthropic and of Responses."""
_OTHER_NAMES = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}


def reported(counted: dict[str, int], scripted: dict[str, int] | None) -> dict[str, int]:
    """The counts of an answer; the total is the sum of prompt and completion unless it is scripted.

    Args:
        counted: What the gateway has counted.
        scripted: What a script says.
    """
    said = scripted or {}
    usage = {**counted, **said}
    for name, ours in _OTHER_NAMES.items():
        if name in said:
            usage[ours] = said.get(ours, said[name])
    if "total_tokens" not in said:
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    return usage


def chat_usage(usage: dict[str, int]) -> dict[str, Any]:
    """The usage of a chat completion; writes to the cache are told where there can be some."""
    prompt = {"cached_tokens": usage.get("cached_tokens", 0), "audio_tokens": 0}
    if "cache_write_tokens" in usage:
        prompt["cache_write_tokens"] = usage["cache_write_tokens"]
    return {
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {
            "reasoning_tokens": usage.get("reasoning_tokens", 0),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def response_usage(usage: dict[str, int]) -> dict[str, Any]:
    """The usage of a response."""
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {
            "cached_tokens": usage.get("cached_tokens", 0),
            "cache_write_tokens": usage.get("cache_write_tokens", 0),
        },
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": usage.get("reasoning_tokens", 0)},
        "total_tokens": usage["total_tokens"],
    }
