"""The streamed form of an answer of the Responses API.

Source: OpenAI API reference, "Streaming events".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stackproof_gateway.built_in_events import built_in_events, empty
from stackproof_gateway.encoding import Closing, event
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.replies import pieces

Item = dict[str, Any]


class Events:
    """Server-sent events with a number each."""

    def __init__(self) -> None:
        self.number = -1

    def __call__(self, kind: str, **fields: Any) -> bytes:
        """An event.

        Args:
            kind: Its type.
            **fields: What it says.
        """
        self.number += 1
        return event({"type": kind, "sequence_number": self.number, **fields}, kind)


def item_events(made: Events, index: int, item: Item) -> Iterator[bytes]:
    """The events of an item of the output.

    Args:
        made: Numbers them.
        index: Place of the item.
        item: The whole item.
    """
    hidden, events = _BETWEEN.get(item["type"], (empty(item["type"]), built_in_events))
    begun = {**item, **({"status": "in_progress"} if "status" in item else {}), **hidden}
    yield made("response.output_item.added", output_index=index, item=begun)
    yield from events(made, {"item_id": item["id"], "output_index": index}, item)
    done = made("response.output_item.done", output_index=index, item=item)
    yield done if _is_before_the_end(item) else Closing(done)


def _is_before_the_end(item: Item) -> bool:
    """Whether the model goes on after an item, so that a stream without its end still has it."""
    return item["type"] not in ("message", "function_call", "custom_tool_call")


def _message_events(made: Events, place: Item, item: Item) -> Iterator[bytes]:
    part = item["content"][0]
    key = "refusal" if part["type"] == "refusal" else "text"
    name = "response.refusal" if key == "refusal" else "response.output_text"
    place = {**place, "content_index": 0}
    logprobs = part.get("logprobs") or []
    none: Item = {name: [] for name in ("annotations", "logprobs") if name in part}
    yield made("response.content_part.added", **place, part={**part, key: "", **none})
    for at, piece in enumerate(pieces(part[key])):
        extra = {} if key == "refusal" else {"logprobs": logprobs[at : at + 1]}
        yield made(f"{name}.delta", **place, delta=piece, **extra)
    for at, annotation in enumerate(part.get("annotations") or ()):
        yield made(
            "response.output_text.annotation.added",
            **place, annotation_index=at, annotation=annotation,
        )  # fmt: skip
    extra = {} if key == "refusal" else {"logprobs": logprobs}
    yield Closing(made(f"{name}.done", **place, **{key: part[key]}, **extra))
    yield Closing(made("response.content_part.done", **place, part=part))


def _function_events(made: Events, place: Item, item: Item) -> Iterator[bytes]:
    name = "response.function_call_arguments"
    yield made(f"{name}.delta", **place, delta=item["arguments"])
    yield Closing(made(f"{name}.done", **place, name=item["name"], arguments=item["arguments"]))


def _custom_events(made: Events, place: Item, item: Item) -> Iterator[bytes]:
    name = "response.custom_tool_call_input"
    for piece in pieces(item["input"]):
        yield made(f"{name}.delta", **place, delta=piece)
    yield Closing(made(f"{name}.done", **place, input=item["input"]))


def _reasoning_events(made: Events, place: Item, item: Item) -> Iterator[bytes]:
    name = "response.reasoning_summary"
    for at, part in enumerate(item["summary"]):
        here = {**place, "summary_index": at}
        yield made(f"{name}_part.added", **here, part={**part, "text": ""})
        for piece in pieces(part["text"]):
            yield made(f"{name}_text.delta", **here, delta=piece)
        yield made(f"{name}_text.done", **here, text=part["text"])
        yield made(f"{name}_part.done", **here, part=part)


_ItemEvents = Callable[[Events, Item, Item], Iterator[bytes]]
_BETWEEN: dict[str, tuple[Item, _ItemEvents]] = {
    "message": ({"content": []}, _message_events),
    "function_call": ({"arguments": ""}, _function_events),
    "custom_tool_call": ({"input": ""}, _custom_events),
    "reasoning": ({"summary": []}, _reasoning_events),
}
"""By the type of an item what it does not have yet when it begins, and what follows then."""


def error_event(error: ProviderError) -> bytes:
    """An error in mid-stream."""
    fields = {"code": "server_error", "message": error.message, "param": None}
    return event({"type": "error", "sequence_number": 0, **fields}, "error")
