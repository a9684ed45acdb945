"""An answer of the real provider, or a recorded one, that a fault or a script cuts or spoils."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from stackproof_gateway.delivery import CutResponse, Presence, chunk, malformed
from stackproof_gateway.encoding import to_bytes, value_or
from stackproof_gateway.scripts import Pacing

FIRST_FAILURE = 400
REASONS = ("finish_reason", "stop_reason", "finishReason")
ENDS = ("message_delta", "message_stop", "response.completed", "response.incomplete")
_EVENT_END = re.compile(rb"\r?\n\r?\n")


def spoilt(response: Response, pacing: Pacing, error: bytes) -> Response:
    """The answer as a pacing lets it travel; one that is an error already stays as it is.

    Args:
        response: The answer.
        pacing: How it travels.
        error: The provider's error as an event.
    """
    if response.status_code >= FIRST_FAILURE:
        return response
    if isinstance(response, StreamingResponse):
        return SpoiltStream(response, _bytes_of(response.body_iterator), pacing, error)
    body = bytes(response.body)
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        return SpoiltStream(response, _once(body), pacing, error)
    if pacing.cut_after is not None:
        return CutResponse(body, headers=response.headers)
    if pacing.malformed_after is not None:
        body = body[: len(body) // 2]
    elif not pacing.ends:
        body = _without_reason(body)
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, response.status_code, headers)


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


async def _bytes_of(chunks: Any) -> AsyncGenerator[bytes, None]:
    async with aclosing(chunks):
        async for data in chunks:
            yield data


def _without_reason(body: bytes) -> bytes:
    """A plain answer that does not say why it ended."""
    value = value_or(body)
    if not isinstance(value, dict):
        return body
    choices = value.get("choices", value.get("candidates"))
    for place in (value, *(choices if isinstance(choices, list) else ())):
        for reason in REASONS:
            if isinstance(place, dict) and reason in place:
                place[reason] = None
    if value.get("object") == "response":
        value["status"] = "incomplete"
    return to_bytes(value)


def ends_answer(event: bytes) -> bool:
    """Whether an event belongs to the end of an answer: its reason, its usage, `[DONE]`."""
    line = next((line for line in event.splitlines() if line.startswith(b"data:")), b"")
    if line[5:].strip() == b"[DONE]":
        return True
    value = value_or(line[5:])
    if not isinstance(value, dict):
        return False
    kind, choices = value.get("type"), value.get("choices", value.get("candidates"))
    if isinstance(kind, str):
        return kind in ENDS or kind.endswith(".done")
    if not isinstance(choices, list):
        return False
    return not choices or any(
        isinstance(choice, dict) and any(choice.get(reason) for reason in REASONS)
        for choice in choices
    )


class SpoiltStream(Response):
    """A stream of events that is cut, held up, or spoilt.

    What the client does not get any more is still read, so that it is priced and recorded.

    Args:
        original: The answer, for its head.
        chunks: Its bytes.
        pacing: How they travel.
        error: The provider's error as an event.
    """

    def __init__(
        self, original: Response, chunks: AsyncGenerator[bytes, None], pacing: Pacing, error: bytes
    ) -> None:
        self.status_code = original.status_code
        self.background = None
        self.raw_headers = [
            header for header in original.raw_headers if header[0] != b"content-length"
        ]
        self._chunks, self._pacing, self._error = chunks, pacing, error

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": self.status_code,
                 "headers": self.raw_headers}  # fmt: skip
        await send(start)
        events = _events(self._chunks)
        with Presence(receive) as presence:
            async with aclosing(events):
                if self._pacing.first_token_after:
                    await presence.pause(self._pacing.first_token_after)
                whole = await self._send_events(events, send, presence)
                async for _ in events:
                    await presence.pause(0)
                if whole:
                    await send({"type": "http.response.body", "body": b""})

    async def _send_events(
        self, events: AsyncGenerator[bytes, None], send: Send, presence: Presence
    ) -> bool:
        """Send the events; False if the connection is to be cut instead of ended."""
        pacing, number = self._pacing, 0
        async for event in events:
            stop = pacing.stop_at(number)
            if stop == "error":
                await send(chunk(self._error))
            if stop or (not pacing.ends and ends_answer(event)):
                return stop != "cut"
            await presence.pause(pacing.between_tokens if number else 0)
            await send(chunk(malformed(event) if number == pacing.malformed_after else event))
            number += 1
        return pacing.cut_after is None


async def _events(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The events in a stream's bytes, however they were cut into chunks."""
    waiting = b""
    async with aclosing(chunks):
        async for data in chunks:
            waiting += data
            while found := _EVENT_END.search(waiting):
                yield waiting[: found.end()]
                waiting = waiting[found.end() :]
        if waiting:
            yield waiting
