"""JSON as bytes, the same ones for the same value, whatever the value holds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)


class Closing(bytes):
    """A streamed event that belongs to the end; a stream without them ends cleanly but early."""

    __slots__ = ()


def to_bytes(value: Any) -> bytes:
    """A value as JSON, in ASCII, so that lone surrogates of a request survive."""
    return _ENCODER.encode(value).encode("ascii")


def event(value: Any, name: str | None = None) -> bytes:
    """A server-sent event with JSON as its data.

    Args:
        value: The data.
        name: Its `event:` line, if it has one.
    """
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    return b"%sdata: %s\n\n" % (head, to_bytes(value))


def from_bytes(data: bytes) -> Any:
    """A value from JSON.

    Raises:
        ValueError: If it is no JSON, or holds a number that JSON has no form for.
        RecursionError: If it is nested too deeply.
    """
    return _DECODER.decode(data.decode())


def value_or(data: bytes, default: Any = None) -> Any:
    """A value from JSON, or the default where it is no JSON."""
    try:
        return from_bytes(data)
    except (ValueError, RecursionError):
        return default


def event_values(content: bytes, default: Any = None) -> Iterator[Any]:
    """What the events of a stream hold, but for the last one, `[DONE]`.

    Args:
        content: Server-sent events.
        default: What stands for an event that is no JSON.
    """
    for line in content.splitlines():
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            yield value_or(line[5:], default)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of range")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
