"""Requests that a client has handed in for later, such as the lines of a batch.

Each is a call as any other: its endpoint checks it, scripts and faults answer it, and the journal
of the same namespace has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message

from stackproof_gateway.call import Call
from stackproof_gateway.encoding import to_bytes, value_or
from stackproof_gateway.endpoint import CLIENT_GONE

NOT_HANDED_ON = frozenset({
    b"content-encoding", b"content-length", b"content-type", b"expect", b"transfer-encoding",
    b"x-stainless-retry-count",
})  # fmt: skip
"""Headers of the request that handed others in, and that say nothing of them."""


@dataclass(frozen=True)
class Asked:
    """A request that was handed in.

    Attributes:
        custom_id: What the client calls it.
        path: Its endpoint, from `/v1` on.
        body: Its body.
    """

    custom_id: str
    path: str
    body: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Answered:
    """What its endpoint answered.

    Attributes:
        status: HTTP status; 499 where the request was taken back.
        request_id: The id of the answer.
        body: The answer; None where it was cut, or is no JSON.
    """

    status: int
    request_id: str
    body: Any = field(repr=False)


class Work:
    """Requests that are answered one after another while the client does other things.

    Args:
        call: The call that handed them in; they have its namespace, key and headers.
        requests: The requests, in their order.
        tell: Told each of them with its answer.
    """

    def __init__(
        self, call: Call, requests: Iterable[Asked], tell: Callable[[Asked, Answered], None]
    ) -> None:
        self._app = call.request.app
        self._prefix = f"/t/{call.namespace.name}"
        self._headers = [
            (name, value)
            for name, value in call.request.scope["headers"]
            if name not in NOT_HANDED_ON
        ]
        self._requests = requests
        self._tell = tell
        self._taken_back = asyncio.Event()
        works = call.namespace.shelf.works
        works.append(self)
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(lambda _: works.remove(self))

    @property
    def is_done(self) -> bool:
        """Whether all requests are answered, or taken back."""
        return self._task.done()

    def take_back(self) -> None:
        """Answer no more of them; one that waits for a script is let go."""
        self._taken_back.set()

    async def settle(self, seconds: float) -> bool:
        """Wait until all is answered, and tell whether it was in time.

        Raises:
            Exception: What broke the work, which is a bug.
        """
        await asyncio.wait({self._task}, timeout=seconds)
        if self.is_done:
            self._task.result()
        return self.is_done

    async def _run(self) -> None:
        for asked in self._requests:
            await asyncio.sleep(0)  # other clients have their turn
            if self._taken_back.is_set():
                return
            answered = await self._post(asked)
            if answered.status != CLIENT_GONE:
                self._tell(asked, answered)

    async def _post(self, asked: Asked) -> Answered:
        """Ask an endpoint, behind the doors through which the first request has come."""
        waiting: list[Message] = [{"type": "http.request", "body": to_bytes(asked.body)}]
        sent: list[Message] = []

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            await self._taken_back.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        path = self._prefix + asked.path
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "app": self._app,
            "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": b"", "scheme": "http", "server": None, "client": None,
            "headers": [*self._headers, (b"content-type", b"application/json")],
        }  # fmt: skip
        await self._app.router(scope, receive, send)
        return _answered(sent)


def _answered(sent: list[Message]) -> Answered:
    head, *parts = sent
    headers = dict(head["headers"])
    whole = bool(parts) and not parts[-1].get("more_body")
    content = b"".join(part.get("body", b"") for part in parts)
    request_id = headers.get(b"x-request-id") or headers.get(b"request-id") or b""
    return Answered(head["status"], request_id.decode(), value_or(content) if whole else None)
