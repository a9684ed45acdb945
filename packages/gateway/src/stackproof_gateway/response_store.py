"""Answers of the Responses API that are kept: asked for again, cancelled, deleted.

Source: OpenAI API reference, "Responses", and guide "Background mode". Here a background response
moves on by one step each time it is looked at: queued, in progress, completed; it does not get
further than in progress before its script's delay and hold are over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.conversations import conversation_of
from stackproof_gateway.delivery import EventStream
from stackproof_gateway.errors import ProviderError, bad_value
from stackproof_gateway.generation import BROKEN_STREAM
from stackproof_gateway.listing import deleted, json_response, page
from stackproof_gateway.replies import Completion
from stackproof_gateway.response_events import error_event
from stackproof_gateway.response_items import input_items, kept_items
from stackproof_gateway.response_references import resolved
from stackproof_gateway.responses import as_events, as_json, begun
from stackproof_gateway.scripts import AT_ONCE, Pacing

MOST_LISTED = 100
"""Items of a page at the most."""

Item = dict[str, Any]


@dataclass
class StoredResponse:
    """An answer that is kept.

    Attributes:
        response: The answer when it is complete.
        input: The items that it is an answer to, with their ids.
        completion: What it is made from.
        pacing: How it travels; of a background response, when it is complete.
        since: When it was asked for, on the monotonic clock.
        looks: How often somebody has looked whether it is complete.
        cancelled: Whether it was cancelled before it was complete.
    """

    response: Item
    input: list[Item]
    completion: Completion
    pacing: Pacing
    since: float
    looks: int = 0
    cancelled: bool = False

    @property
    def items(self) -> list[Item]:
        """All that it adds to a conversation."""
        return [*self.input, *self.response["output"]]


def keep(call: Call, body: dict[str, Any], completion: Completion) -> None:
    """Keep an answer, unless the client does not want it kept, and add it to its conversation."""
    shelf, response = call.namespace.shelf, as_json(completion)
    conversation = conversation_of(body.get("conversation"), shelf)
    if body.get("store") is False and conversation is None:
        return
    given = resolved(input_items(body), shelf) if body.get("input") is not None else []
    stored = StoredResponse(
        response, kept_items(given, completion.number), completion, call.pacing,
        call.began,
    )  # fmt: skip
    if conversation is not None:
        conversation.add(stored.items)
    if body.get("store") is not False:
        shelf.responses[f"resp_{completion.number:08d}"] = stored


def _stored(call: Call) -> StoredResponse:
    identity = call.request.path_params["response"]
    stored: StoredResponse | None = call.namespace.shelf.responses.get(identity)
    if stored is None:
        raise ProviderError(404, f"Response with id '{identity}' not found.")
    return stored


def _status(call: Call, stored: StoredResponse) -> str:
    """How far an answer is; empty if it is complete."""
    if stored.cancelled:
        return "cancelled"
    if not stored.completion.prompt.background:
        return ""
    pacing = stored.pacing
    waits = time.monotonic() < stored.since + pacing.delay or (
        pacing.hold is not None and not call.namespace.scripts.hold(pacing.hold).is_set()
    )
    return ("queued" if stored.looks == 0 else "in_progress") if waits or stored.looks < 2 else ""  # noqa: PLR2004 - the steps before the last


def _shown(call: Call, stored: StoredResponse) -> Item:
    status = _status(call, stored)
    return begun(stored.completion, status) if status else stored.response


async def get_response(call: Call) -> Response:
    """A stored answer, as an object or as a stream of events."""
    await call.fail_on_purpose()
    stored = _stored(call)
    if call.request.query_params.get("stream") == "true":
        call.entry.streamed = True
        return await _streamed(call, stored)
    stored.looks += 1
    return json_response(_shown(call, stored))


async def _streamed(call: Call, stored: StoredResponse) -> Response:
    """The events of an answer, from `starting_after` on; what it waits for comes first."""
    after = call.request.query_params.get("starting_after", "-1")
    if not after.removeprefix("-").isdecimal() or len(after) > 9:  # noqa: PLR2004 - digits
        raise bad_value("starting_after", "Invalid 'starting_after': expected an integer.")
    if not stored.cancelled and stored.completion.prompt.background:
        await call.wait_for(stored.pacing)
        stored.looks = 2
    events = islice(_events(stored), max(int(after) + 1, 0), None)
    return EventStream(events, AT_ONCE, error_event(BROKEN_STREAM), call.stream_done)


def _events(stored: StoredResponse) -> Iterator[bytes]:
    return as_events(stored.completion, "cancelled" if stored.cancelled else "")


async def cancel_response(call: Call) -> Response:
    """Cancel a background response; one that is complete stays as it is."""
    await call.fail_on_purpose()
    stored = _stored(call)
    if not stored.completion.prompt.background:
        raise ProviderError(400, "Cannot cancel a synchronous response.")
    stored.cancelled = bool(_status(call, stored))
    return json_response(_shown(call, stored))


async def delete_response(call: Call) -> Response:
    """Forget a stored answer."""
    await call.fail_on_purpose()
    _stored(call)
    identity = call.request.path_params["response"]
    del call.namespace.shelf.responses[identity]
    return deleted(identity, "response")


async def get_input_items(call: Call) -> Response:
    """What a stored answer was an answer to."""
    await call.fail_on_purpose()
    return page(call, _stored(call).input, most=MOST_LISTED)
