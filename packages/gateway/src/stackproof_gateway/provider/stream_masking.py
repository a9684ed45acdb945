"""Edits the texts of a recorded stream, where a secret or a value may be cut over many events."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

PARTS = frozenset({"content", "text", "arguments", "partial_json", "delta", "refusal", "thinking",
                   "reasoning", "reasoning_content", "input"})  # fmt: skip
"""Keys whose texts go on from event to event."""

Span = tuple[int, int]
Edit = tuple[int, int, str]
"""Where a part of a text begins and ends, and what takes its place."""

Place = tuple[Any, Any]


def mask_events(text: str, spans: Callable[[str], Sequence[Span]], mask: str) -> str:
    """The same stream, with what the texts of its events say together masked.

    Args:
        text: Server-sent events, their data as JSON.
        spans: Where secrets stand in a text, in order.
        mask: What takes the place of one.
    """
    return edit_events(text, lambda whole: [(*span, mask) for span in spans(whole)])


def edit_events(
    text: str, edits: Callable[[str], Sequence[Edit]], *, everywhere: bool = False
) -> str:
    """The same stream, with what the texts of its events say together edited.

    Args:
        text: Server-sent events, their data as JSON.
        edits: What is to change in a text, in order.
        everywhere: Whether texts that do not go on from event to event are edited too.
    """
    lines = text.split("\n")
    events = {at: event for at, line in enumerate(lines) if (event := _data(line)) is not None}
    texts: dict[object, list[Place]] = defaultdict(list)
    for event in events.values():
        for path, place in _places(event, (), everywhere=everywhere):
            texts[path].append(place)
    changed = [_edit(places, edits) for places in texts.values()]
    if not any(changed):
        return text
    for at, event in events.items():
        lines[at] = f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}"
    return "\n".join(lines)


def texts_of(value: Any) -> Iterator[tuple[object, str]]:
    """The texts of an event or answer that go on, each with what tells which of several it is."""
    for path, (holder, key) in _places(value, (), everywhere=False):
        yield path, holder[key]


def _data(line: str) -> Any:
    if not line.startswith("data:"):
        return None
    try:
        return json.loads(line.removeprefix("data:"))
    except (ValueError, RecursionError):
        return None


def _places(
    value: Any, path: tuple[object, ...], *, everywhere: bool
) -> Iterator[tuple[object, Place]]:
    """The texts of an event that go on, each with what tells which of several it is."""
    if isinstance(value, dict):
        indexes = [item for key, item in value.items() if key.endswith(("index", "item_id"))]
        inner = (*path, *map(str, indexes))
        for key, item in value.items():
            if isinstance(item, str) and key in PARTS:
                yield (*inner, key), (value, key)
            elif isinstance(item, str) and everywhere:
                yield object(), (value, key)
            else:
                yield from _places(item, (*inner, key), everywhere=everywhere)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            if isinstance(item, str) and everywhere:
                yield object(), (value, at)
            else:
                yield from _places(item, path, everywhere=everywhere)


def _edit(places: Sequence[Place], edits: Callable[[str], Sequence[Edit]]) -> bool:
    found = edits("".join(holder[key] for holder, key in places))
    begin = 0
    for holder, key in places:
        piece = holder[key]
        holder[key] = _edited(piece, [(a - begin, b - begin, text) for a, b, text in found])
        begin += len(piece)
    return bool(found)


def _edited(piece: str, found: Sequence[Edit]) -> str:
    """A piece of a text after edits; where one goes over several pieces, the first has the text."""
    parts, done = [], 0
    for start, end, text in found:
        if end > done and start < len(piece):
            parts.append(piece[done : max(start, done)])
            parts.append(text if start >= done and start >= 0 else "")
            done = end
    return "".join([*parts, piece[done:]])
