"""Takes secrets out of a recorded stream, where a secret may be cut over many events."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

PARTS = frozenset({"content", "text", "arguments", "partial_json", "delta", "refusal", "thinking",
                   "reasoning", "reasoning_content", "input"})  # fmt: skip
"""Keys whose texts go on from event to event."""

Span = tuple[int, int]
Place = tuple[Any, str]


def mask_events(text: str, spans: Callable[[str], Sequence[Span]], mask: str) -> str:
    """The same stream, with what the texts of its events say together masked.

    Args:
        text: Server-sent events, their data as JSON.
        spans: Where secrets stand in a text, in order.
        mask: What takes the place of one.
    """
    lines = text.split("\n")
    events = {at: event for at, line in enumerate(lines) if (event := _data(line)) is not None}
    texts: dict[object, list[Place]] = defaultdict(list)
    for event in events.values():
        for path, place in _places(event, ()):
            texts[path].append(place)
    changed = [_mask(places, spans, mask) for places in texts.values()]
    if not any(changed):
        return text
    for at, event in events.items():
        lines[at] = f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}"
    return "\n".join(lines)


def _data(line: str) -> Any:
    if not line.startswith("data:"):
        return None
    try:
        return json.loads(line.removeprefix("data:"))
    except (ValueError, RecursionError):
        return None


def _places(value: Any, path: tuple[object, ...]) -> Iterator[tuple[object, Place]]:
    """The texts of an event that go on, each with what tells which of several it is."""
    if isinstance(value, dict):
        indexes = [item for key, item in value.items() if key.endswith(("index", "item_id"))]
        inner = (*path, *map(str, indexes))
        for key, item in value.items():
            if isinstance(item, str) and key in PARTS:
                yield (*inner, key), (value, key)
            else:
                yield from _places(item, (*inner, key))
    elif isinstance(value, list):
        for item in value:
            yield from _places(item, path)


def _mask(places: Sequence[Place], spans: Callable[[str], Sequence[Span]], mask: str) -> bool:
    found = spans("".join(holder[key] for holder, key in places))
    begin = 0
    for holder, key in places:
        piece = holder[key]
        holder[key] = _masked(piece, [(a - begin, b - begin) for a, b in found], mask)
        begin += len(piece)
    return bool(found)


def _masked(piece: str, found: Sequence[Span], mask: str) -> str:
    """A piece of a text, without what secrets it has a part of; the first one has the mask."""
    parts, done = [], 0
    for start, end in found:
        if end > done and start < len(piece):
            parts.append(piece[done : max(start, done)])
            parts.append(mask if start >= done and start >= 0 else "")
            done = end
    return "".join([*parts, piece[done:]])
