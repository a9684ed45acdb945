"""One call of a client: its namespace, its entry in the journal, its faults, its errors."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stackproof_gateway.apis import (
    ANTHROPIC,
    OPENAI,
    api_of,
    is_upload,
    model_in,
)
from stackproof_gateway.bodies import Body
from stackproof_gateway.delivery import LONGEST_HOLD, Presence
from stackproof_gateway.encoding import to_bytes
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import Facts, Fault, parse_exactly
from stackproof_gateway.journal import LONGEST_BODY, Entry
from stackproof_gateway.model_rules import NO_RULES, Rules, RuleTable
from stackproof_gateway.namespaces import (
    FIRST_SECOND,
    Namespace,
    fault_of_key,
)
from stackproof_gateway.requests import model_of, parse_body, unknown_fields
from stackproof_gateway.scripts import AT_ONCE, Pacing
from stackproof_gateway.server_answers import server_envelope
from stackproof_gateway.server_paths import DEPLOYMENT
from stackproof_gateway.server_requests import adapted
from stackproof_gateway.server_rules import Server

Answer = Callable[["Call"], Awaitable[Response]]


class Call:
    """One call of a client.

    Args:
        request: The request.
        namespace: The namespace that it belongs to.
        body: Its body.
        headers: Its headers, with names in small letters.
        key: Its API key.
    """

    def __init__(
        self,
        request: Request,
        namespace: Namespace,
        body: Body,
        headers: Mapping[str, str],
        key: str,
    ) -> None:
        self.request = request
        self.headers = headers
        self.key = key
        self.state = request.app.state
        self.server: Server = self.state.server
        self.namespace = namespace
        self.data, self.form = body.data, body.form
        self.began = time.monotonic()
        self.is_cut = False
        self.pacing = AT_ONCE
        self.presence = Presence(request.receive)
        retries = headers.get("x-stainless-retry-count", "")
        path = own_path(request)
        self.api = api_of(path, headers, query_of(request))
        self.entry = Entry(
            seq=namespace.next_call(),
            namespace=namespace.name,
            time=time.time(),
            monotonic=self.began,
            method=request.method,
            path=path,
            user_agent=headers.get("user-agent", ""),
            retry_count=int(retries[:6]) if retries.isdecimal() else None,
            body=self.state.hiding.hide(body.data)[:LONGEST_BODY],
            digest=body.digest or hashlib.sha256(path.encode() + b"\0" + body.data).hexdigest(),
        )
        self.created = FIRST_SECOND + namespace.clock_offset + self.entry.seq

    @property
    def anthropic(self) -> bool:
        """Whether the client speaks Anthropic's dialect."""
        return self.api == ANTHROPIC

    @property
    def upload(self) -> str | None:
        """The id of the upload to Google that it goes on with; None if it is no piece of one."""
        return self.request.query_params.get("upload_id") if is_upload(self.entry.path) else None

    def body(self, known: frozenset[str]) -> dict[str, Any]:
        """The request's body as an object; its model and unknown fields go to the journal.

        Raises:
            ProviderError: If it is no object, or names no model.
        """
        body = meant(self.request, self.data)
        self.entry.model = model_in(self.entry.path) or model_of(body)
        self.entry.unknown_fields = unknown_fields(body, known, self.server.known)
        self.check_model()
        return body

    def check_model(self) -> None:
        """Refuse a model that the client has deleted.

        Raises:
            ProviderError: If it has.
        """
        name = self.entry.model
        if name in self.namespace.shelf.deleted_models:
            message = f"The model `{name}` does not exist or you do not have access to it."
            raise ProviderError(404, message, code="model_not_found")

    @property
    def rules(self) -> Rules:
        """The rules of the model that is asked for."""
        if "model_rules" in self.server.tolerates:
            return NO_RULES
        table: RuleTable = self.state.model_rules
        return table.of(self.entry.model)

    def next_fault(self, *, stream: bool = False) -> Fault | None:
        """The fault of this call, claimed and in the journal; None if it is to succeed."""
        entry, words = self.entry, self.request.path_params.get("fault")
        spec = parse_exactly(words) if words else fault_of_key(self.key)
        faults = self.namespace.faults
        if not faults.may_fail(entry.model, spec):
            return None
        facts = Facts(
            entry.model, entry.path, self.key, entry.digest, entry.retry_count, stream, spec
        )
        fault = faults.next_fault(facts)
        if fault is not None:
            entry.fault = fault.to_json(entry.retry_count)
        return fault

    async def fail_on_purpose(self) -> None:
        """Take the fault of this call, for endpoints whose answers are never streams.

        Raises:
            ProviderError: If it is a status.
        """
        fault = self.next_fault()
        if fault is not None:
            await self.pause(fault.spec.seconds)
            if fault.spec.manner == "status":
                raise fault.error
            self.is_cut = fault.spec.manner == "cut"

    async def pause(self, seconds: float) -> None:
        """Wait, as long as the client does."""
        if seconds:
            await self.presence.pause(seconds)

    async def wait_for(self, pacing: Pacing) -> None:
        """Wait for a script's delay and hold.

        Raises:
            ProviderError: If nobody releases the hold.
            ClientDisconnect: If the client goes meanwhile.
        """
        await self.pause(pacing.delay)
        if pacing.hold is not None:
            released = self.namespace.scripts.hold(pacing.hold)
            if not await self.presence.until(released.wait(), LONGEST_HOLD):
                message = f"The hold {pacing.hold} was not released within {LONGEST_HOLD:g} s."
                raise ProviderError(504, message, kind="server_error")

    def finish(self, status: int) -> None:
        """Note how it ended."""
        entry = self.entry
        entry.status = status
        entry.latency_ms = round((time.monotonic() - self.began) * 1000, 3)
        say = self.state.say
        if say is not None:
            path, model = ascii(entry.path)[1:-1], ascii(entry.model)[1:-1] or "-"
            line = (
                f"{entry.namespace} {entry.method} {path} {model} {status} "
                f"{entry.latency_ms:.1f} ms\n"
            )
            say(self.state.hiding.text(line))

    def stream_done(self, client_closed: bool) -> None:
        """Note how a stream ended."""
        self.entry.client_closed = client_closed
        self.entry.latency_ms = round((time.monotonic() - self.began) * 1000, 3)

    def refuse(self, error: ProviderError) -> Response:
        """An error as an answer, in the client's dialect."""
        self.entry.reply = error.message
        envelope = server_envelope(error, self.server, self.api, self.entry.seq)
        return Response(
            to_bytes([envelope] if self.in_list else envelope),
            error.status,
            error.headers,
            media_type="application/json",
        )

    @property
    def in_list(self) -> bool:
        """Whether the answer is one JSON list, as Google's streams are unless they are events."""
        path = self.entry.path
        return path.endswith(":streamGenerateContent") and "alt=sse" not in query_of(self.request)


READ = "stackproof.body"
"""Where a request has its body while only its model was looked at."""


def query_of(request: Request) -> str:
    """The query of a request; to make a whole URL for it costs a twentieth of a call."""
    query: bytes = request.scope["query_string"]
    return query.decode("latin-1")


def own_path(request: Request) -> str:
    """The path without the prefixes of namespace and fault."""
    path: str = request.scope["path"]
    parameters = request.path_params
    if "namespace" in parameters:
        path = path.removeprefix(f"/t/{parameters['namespace']}")
    if "fault" in parameters:
        path = path.removeprefix(f"/f/{parameters['fault']}")
    return path


def meant(request: Request, data: bytes) -> dict[str, Any]:
    """The body of a request as an object, as the server of the dialect takes it.

    Raises:
        ProviderError: If it is no object.
    """
    read: dict[str, Any] | None = request.scope.pop(READ, None)
    if read is not None:  # it was read for the namespace, and nobody has changed it
        return read
    body, server = parse_body(data), request.app.state.server
    if server.is_openai or api_of(own_path(request), request.headers) != OPENAI:
        return body
    return adapted(body, server, request.scope.get(DEPLOYMENT))
