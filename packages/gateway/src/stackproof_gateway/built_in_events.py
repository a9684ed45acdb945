"""The events of what OpenAI's built-in tools leave in a streamed answer.

Source: the types of OpenAI's SDK 3.52, `ResponseStreamEvent`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Item = dict[str, Any]

_STEPS = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
    "mcp_list_tools": ("in_progress", "completed"),
    "mcp_call": ("in_progress", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
}
_EMPTY: dict[str, Item] = {
    "file_search_call": {"results": None}, "mcp_list_tools": {"tools": []},
    "mcp_call": {"arguments": "", "output": None, "error": None},
    "code_interpreter_call": {"code": "", "outputs": None},
    "image_generation_call": {"result": None},
}  # fmt: skip
_WRITTEN = {"mcp_call": ("response.mcp_call_arguments", "arguments"),
            "code_interpreter_call": ("response.code_interpreter_call_code", "code")}  # fmt: skip
"""What the model writes, by the type of the item: the name of its events, and the field."""


def empty(kind: str) -> Item:
    """What an item does not have yet when it begins."""
    return _EMPTY.get(kind, {})


def built_in_events(made: Any, place: Item, item: Item) -> Iterator[bytes]:
    """The events between the beginning and the end of an item.

    Args:
        made: Makes an event.
        place: Where the item is.
        item: The whole item.
    """
    kind = item["type"]
    steps = list(_STEPS.get(kind, ()))
    if item.get("error") is not None and steps:
        steps[-1] = "failed"
    for number, step in enumerate(steps):
        if number == 1 and kind in _WRITTEN:
            name, key = _WRITTEN[kind]
            yield made(f"{name}.delta", **place, delta=item[key])
            yield made(f"{name}.done", **place, **{key: item[key]})
        yield made(f"response.{kind}.{step}", **place)
