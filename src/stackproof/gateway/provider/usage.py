"""How many tokens the provider says that an answer took, plain or streamed, in either dialect."""

from __future__ import annotations

from typing import Any

from stackproof.gateway.encoding import from_bytes

_NAMES = {
    "prompt_tokens": "prompt_tokens",
    "input_tokens": "prompt_tokens",
    "cache_creation_input_tokens": "prompt_tokens",
    "cache_read_input_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "output_tokens": "completion_tokens",
}


def usage_of(content: bytes, *, stream: bool) -> dict[str, int] | None:
    """The usage of an answer; None if it does not say.

    Args:
        content: The whole answer.
        stream: Whether it is a stream of events.
    """
    found: dict[str, int] = {}
    for value in _events(content) if stream else [_value(content)]:
        for place in _places(value):
            found.update(_counts(place.get("usage")))
    if not found:
        return None
    found["total_tokens"] = found.get("prompt_tokens", 0) + found.get("completion_tokens", 0)
    return found


def written_bytes(content: bytes) -> int:
    """Bytes of the text that a stream of events has written: answers, arguments, thoughts."""
    return sum(_length(one) for value in _events(content) for one in _deltas(value))


def _deltas(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        return []
    choices = value.get("choices")
    found = [value.get("delta")]
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict):
            found += [choice.get("delta"), choice.get("text")]
    return found


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(_length(one) for one in below)


def _counts(usage: Any) -> dict[str, int]:
    """Counts under the names that the gateway uses; of one name, all that are told add up."""
    found: dict[str, int] = {}
    for name, ours in _NAMES.items():
        value = usage.get(name) if isinstance(usage, dict) else None
        if type(value) is int:
            found[ours] = found.get(ours, 0) + value
            if name == "cache_creation_input_tokens" and value:
                found["cache_write_tokens"] = value
    return found


def _places(value: Any) -> list[dict[str, Any]]:
    """Where usage can stand: at the top, in a message that begins, in a response that is done."""
    if not isinstance(value, dict):
        return []
    below = [value.get(name) for name in ("message", "response")]
    return [value, *(one for one in below if isinstance(one, dict))]


def _events(content: bytes) -> list[Any]:
    lines = (line[5:].strip() for line in content.splitlines() if line.startswith(b"data:"))
    return [_value(line) for line in lines if line != b"[DONE]"]


def _value(content: bytes) -> Any:
    try:
        return from_bytes(content)
    except (ValueError, RecursionError):
        return None
