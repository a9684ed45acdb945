"""One call of a client: its namespace, its entry in the journal, its faults, its errors."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from stackproof.gateway.delivery import LONGEST_HOLD, CutResponse, Presence
from stackproof.gateway.encoding import to_bytes
from stackproof.gateway.errors import ProviderError
from stackproof.gateway.faults import Facts, Fault, parse_exactly
from stackproof.gateway.journal import LONGEST_BODY, Entry
from stackproof.gateway.namespaces import (
    DEFAULT,
    FIRST_SECOND,
    Namespace,
    api_key,
    fault_of_key,
    namespace_of,
)
from stackproof.gateway.requests import model_of, parse_body, unknown_fields
from stackproof.gateway.scripts import Pacing

LARGEST_BODY = 20 * 1024 * 1024
CLIENT_GONE = 499
OPENAI_HEADERS = (
    (b"openai-version", b"2020-10-01"),
    (b"openai-processing-ms", b"1"),
)
"""Headers of each answer but Anthropic's; the time is always the same, so that answers are."""

log = logging.getLogger("stackproof.gateway")

Answer = Callable[["Call"], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Call:
    """One call of a client.

    Args:
        request: The request.
        namespace: The namespace that it belongs to.
        data: Its body.
        headers: Its headers, with names in small letters.
        key: Its API key.
    """

    def __init__(
        self,
        request: Request,
        namespace: Namespace,
        data: bytes,
        headers: Mapping[str, str],
        key: str,
    ) -> None:
        self.request = request
        self.headers = headers
        self.key = key
        self.namespace = namespace
        self.data = data
        self.began = time.monotonic()
        self.is_cut = False
        self.presence = Presence(request.receive)
        retries = headers.get("x-stainless-retry-count", "")
        path = _own_path(request)
        self.entry = Entry(
            seq=namespace.next_call(),
            namespace=namespace.name,
            time=time.time(),
            monotonic=self.began,
            method=request.method,
            path=path,
            user_agent=headers.get("user-agent", ""),
            retry_count=int(retries[:6]) if retries.isdecimal() else None,
            body=request.app.state.hiding.hide(data)[:LONGEST_BODY],
            digest=hashlib.sha256(path.encode() + b"\0" + data).hexdigest(),
        )
        self.created = FIRST_SECOND + namespace.clock_offset + self.entry.seq

    @property
    def anthropic(self) -> bool:
        """Whether the client speaks Anthropic's dialect."""
        return "anthropic-version" in self.headers

    def body(self, known: frozenset[str]) -> dict[str, Any]:
        """The request's body as an object; its model and unknown fields go to the journal.

        Raises:
            ProviderError: If it is no object, or names no model.
        """
        body = parse_body(self.data)
        self.entry.model = model_of(body)
        self.entry.unknown_fields = unknown_fields(body, known)
        return body

    def next_fault(self, *, stream: bool = False) -> Fault | None:
        """The fault of this call, claimed and in the journal; None if it is to succeed."""
        entry, words = self.entry, self.request.path_params.get("fault")
        spec = parse_exactly(words) if words else fault_of_key(self.key)
        facts = Facts(
            entry.model, entry.path, self.key, entry.digest, entry.retry_count, stream, spec
        )
        fault = self.namespace.faults.next_fault(facts)
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
        say = self.request.app.state.say
        if say is not None:
            path, model = ascii(entry.path)[1:-1], ascii(entry.model)[1:-1] or "-"
            say(
                f"{entry.namespace} {entry.method} {path} {model} {status} "
                f"{entry.latency_ms:.1f} ms\n"
            )

    def stream_done(self, client_closed: bool) -> None:
        """Note how a stream ended."""
        self.entry.client_closed = client_closed
        self.entry.latency_ms = round((time.monotonic() - self.began) * 1000, 3)

    def refuse(self, error: ProviderError) -> Response:
        """An error as an answer, in the client's dialect."""
        self.entry.reply = error.message
        envelope = error.envelope
        if self.anthropic:
            envelope = error.anthropic_envelope(f"req_{self.entry.seq:08d}")
        return Response(
            to_bytes(envelope), error.status, error.headers, media_type="application/json"
        )


def _own_path(request: Request) -> str:
    """The path without the prefixes of namespace and fault."""
    path: str = request.scope["path"]
    parameters = request.path_params
    if "namespace" in parameters:
        path = path.removeprefix(f"/t/{parameters['namespace']}")
    if "fault" in parameters:
        path = path.removeprefix(f"/f/{parameters['fault']}")
    return path


async def _read(request: Request) -> tuple[bytes, bool]:
    """The body, and whether it is too large; the rest of such a one is read and dropped."""
    first = await request.receive()
    if first["type"] == "http.disconnect":
        raise ClientDisconnect
    chunk: bytes = first.get("body", b"")
    if not first.get("more_body"):
        return chunk, len(chunk) > LARGEST_BODY
    chunks, size = [chunk], len(chunk)
    async for chunk in request.stream():
        size += len(chunk)
        if size <= LARGEST_BODY:
            chunks.append(chunk)
    return b"".join(chunks), size > LARGEST_BODY


def _namespace_name(
    request: Request, headers: Mapping[str, str], key: str, data: bytes
) -> str | None:
    """The namespace of a request; its body is only read where nothing else says it."""
    test_id = headers.get("x-test-id", "")
    name = namespace_of(request.path_params.get("namespace"), key, test_id)
    if name is None and data and request.method == "POST":
        try:
            return namespace_of(None, model=model_of(parse_body(data)))
        except ProviderError:
            return None
    return name


def endpoint(answer: Answer) -> Endpoint:
    """An endpoint of the provider: namespace, key, journal and errors around an answer."""

    async def serve(request: Request) -> Response:
        try:
            data, too_large = await _read(request)
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        headers = {key.decode("latin-1"): value.decode("latin-1")
                   for key, value in request.scope["headers"]}  # fmt: skip
        key = api_key(headers)
        name = _namespace_name(request, headers, key, data)
        call = Call(request, request.app.state.namespaces.get(name or DEFAULT), data, headers, key)
        call.namespace.journal.add(call.entry)
        response = await _answered(call, answer, too_large=too_large, named=name is not None)
        call.presence.close()
        call.namespace.journal.learn(call.entry)
        number = b"req_%08d" % call.entry.seq
        if call.anthropic:
            response.raw_headers.append((b"request-id", number))
        else:
            response.raw_headers += [*OPENAI_HEADERS, (b"x-request-id", number)]
        call.finish(response.status_code)
        return response

    return serve


async def _answered(call: Call, answer: Answer, *, too_large: bool, named: bool) -> Response:
    try:
        _check_outside(call, too_large=too_large, named=named)
        response = await answer(call)
        return CutResponse(response.body, headers=response.headers) if call.is_cut else response
    except ProviderError as error:
        return call.refuse(error)
    except ClientDisconnect:
        call.entry.client_closed = True
        return Response(status_code=CLIENT_GONE)
    except RecursionError:
        return call.refuse(ProviderError(400, "Your request is nested too deeply."))
    except Exception:
        log.exception("the gateway failed; this is a defect of it")
        return call.refuse(
            ProviderError(500, "The gateway itself failed; its log says why.", kind="server_error")
        )


def _check_outside(call: Call, *, too_large: bool, named: bool) -> None:
    """Refuse a request for what is around its content."""
    if too_large:
        raise ProviderError(413, "The body of your request is too large.")
    if not call.key:
        raise ProviderError(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )
    if not named and call.request.app.state.options.strict_namespaces:
        raise ProviderError(
            400,
            "This gateway serves namespaces only: use the base URL /t/NAME/v1, the key "
            "sk-e2e-NAME, the header X-Test-Id, or a model whose name ends with -ns-NAME.",
            code="namespace_required",
        )
