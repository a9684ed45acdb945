"""How many tokens the provider says that an answer took, plain or streamed, in either dialect."""

from __future__ import annotations

from typing import Any

from stackproof_gateway.encoding import event_values, value_or

_NAMES = {
    "prompt_tokens": "prompt_tokens",
    "input_tokens": "prompt_tokens",
    "cache_creation_input_tokens": "prompt_tokens",
    "cache_read_input_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "output_tokens": "completion_tokens",
    "promptTokenCount": "prompt_tokens",
    "toolUsePromptTokenCount": "prompt_tokens",
    "candidatesTokenCount": "completion_tokens",
    "thoughtsTokenCount": "completion_tokens",
}


def usage_of(content: bytes, *, stream: bool) -> dict[str, int] | None:
    """The usage of an answer; None if it does not say.

    Args:
        content: The whole answer.
        stream: Whether it is a stream of events.
    """
    found: dict[str, int] = {}
    for value in event_values(content) if stream else [value_or(content)]:
        for place in _places(value):
            for name, count in _counts(place.get("usage", place.get("usageMetadata"))).items():
                found[name] = max(found.get(name, 0), count)  # what a stream tells only grows
    if not found:
        return None
    found["total_tokens"] = found.get("prompt_tokens", 0) + found.get("completion_tokens", 0)
    return found


def written_bytes(content: bytes) -> int:
    """Bytes of the text that a stream of events has written: answers, arguments, thoughts."""
    return sum(_length(piece) for value in event_values(content) for piece in _deltas(value))


def _deltas(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        return []
    choices = value.get("choices")
    found = [value.get("delta")]
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict):
            found += [choice.get("delta"), choice.get("text")]
    candidates = value.get("candidates")
    for candidate in candidates if isinstance(candidates, list) else []:
        if isinstance(candidate, dict):
            found.append(candidate.get("content"))
    return found


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(_length(piece) for piece in below)


def _counts(usage: Any) -> dict[str, int]:
    """Counts under the names that the gateway uses; of one name, all that are told add up."""
    found: dict[str, int] = {}
    if not isinstance(usage, dict):
        return found
    for name, ours in _NAMES.items():
        value = usage.get(name)
        if type(value) is int:
            found[ours] = found.get(ours, 0) + value
    return found | _written_to_cache(usage)


def _written_to_cache(usage: dict[str, Any]) -> dict[str, int]:
    """Tokens that a prompt cache has got; those whose lifetime is not told count for an hour's."""
    written = usage.get("cache_creation_input_tokens")
    if type(written) is int and written:
        lives = usage.get("cache_creation")
        short = lives.get("ephemeral_5m_input_tokens") if isinstance(lives, dict) else None
        hour = max(written - (short if type(short) is int else 0), 0)
        return {"cache_write_tokens": written, "cache_write_1h_tokens": hour}
    details = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
    written = details.get("cache_write_tokens") if isinstance(details, dict) else None
    if type(written) is int and written:  # OpenAI has no lifetime that costs more
        return {"cache_write_tokens": written, "cache_write_1h_tokens": 0}
    return {}


def _places(value: Any) -> list[dict[str, Any]]:
    """Where usage can stand: at the top, in a message that begins, in a response that is done."""
    if isinstance(value, list):  # a stream of Google's that is one list
        return [part for part in value if isinstance(part, dict)]
    if not isinstance(value, dict):
        return []
    below = [value.get(name) for name in ("message", "response")]
    return [value, *(part for part in below if isinstance(part, dict))]
