"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from stackproof.gateway.chat import as_events, as_json, complete
from stackproof.gateway.embeddings import (
    DEFAULT_DIMENSIONS,
    MOST_DIMENSIONS,
    as_base64,
    embed,
)
from stackproof.gateway.errors import ProviderError, bad_value
from stackproof.gateway.faults import next_fault
from stackproof.gateway.journal import LONGEST_BODY, Entry
from stackproof.gateway.namespaces import (
    FIRST_SECOND,
    Namespace,
    Namespaces,
    api_key,
    namespace_of,
)
from stackproof.gateway.requests import embedding_inputs, model_of, parse_body

EVENTS_BETWEEN_LOOKS = 32
LARGEST_BODY = 20 * 1024 * 1024
MODELS = ("gpt-4o-mini", "gpt-4o", "text-embedding-3-small")
HEADERS = {"openai-version": "2020-10-01", "openai-organization": "stackproof"}

log = logging.getLogger("stackproof.gateway")

Answer = Callable[["Call"], Awaitable[Response]]


class Call:
    """One call of a client.

    Args:
        request: The request.
        namespace: The namespace that it belongs to.
    """

    def __init__(self, request: Request, namespace: Namespace) -> None:
        self.request = request
        self.namespace = namespace
        retries = request.headers.get("x-stainless-retry-count", "")
        self.began = time.monotonic()
        self.entry = Entry(
            seq=namespace.next_call(),
            namespace=namespace.name,
            time=time.time(),
            monotonic=self.began,
            method=request.method,
            path=_own_path(request),
            user_agent=request.headers.get("user-agent", ""),
            retry_count=int(retries) if retries.isdecimal() else None,
        )

    async def body(self) -> dict[str, Any]:
        """The request's body, checked, and noted in the journal's entry."""
        data = bytearray()
        async for chunk in self.request.stream():
            data += chunk
            if len(data) > LARGEST_BODY:
                raise ProviderError(413, "The body of your request is too large.")
        self.entry.digest = hashlib.sha256(data).hexdigest()
        body = parse_body(bytes(data))
        text = json.dumps(body)
        self.entry.request = body if len(text) <= LONGEST_BODY else text[:LONGEST_BODY]
        self.entry.model = model_of(body)
        return body

    def fail_on_purpose(self) -> None:
        """Raise the fault that the name of the model asks for."""
        fault = next_fault(self.namespace, self.entry.model)
        if fault is not None:
            self.entry.fault = fault.to_json()
            raise fault.error

    def finish(self, status: int) -> None:
        """Note how it ended."""
        self.entry.status = status
        self.entry.latency_ms = round((time.monotonic() - self.began) * 1000, 3)
        entry = self.entry
        log.info(
            "%s %s %s %s %s %.1f ms",
            entry.namespace, entry.method, entry.path, entry.model or "-", status, entry.latency_ms,
        )  # fmt: skip


def _own_path(request: Request) -> str:
    """The path without the namespace's prefix."""
    path = request.url.path
    name = request.path_params.get("namespace")
    return path.removeprefix(f"/t/{name}") if name else path


def _endpoint(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of the provider: namespace, key, journal and errors around an answer."""

    async def endpoint(request: Request) -> Response:
        namespaces: Namespaces = request.app.state.namespaces
        name = namespace_of(request.path_params.get("namespace"), request.headers)
        call = Call(request, namespaces.get(name))
        call.namespace.journal.add(call.entry)
        headers = {**HEADERS, "x-request-id": f"req_{call.entry.seq:08d}"}
        try:
            _require_key(request)
            response = await answer(call)
        except ProviderError as error:
            response = JSONResponse(error.envelope, error.status, error.headers)
            call.entry.reply = error.envelope["error"]["message"] or ""
        except ClientDisconnect:
            call.entry.client_closed = True
            response = Response(status_code=499)
        call.namespace.journal.learn(call.entry)
        response.headers.update(headers)
        response.headers["openai-processing-ms"] = str(int((time.monotonic() - call.began) * 1000))
        call.finish(response.status_code)
        return response

    return endpoint


def _require_key(request: Request) -> None:
    if not api_key(request.headers):
        raise ProviderError(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )


async def _chat(call: Call) -> Response:
    body = await call.body()
    completion = complete(body, call.entry.seq)
    call.fail_on_purpose()
    call.entry.reply = completion.summary
    call.entry.usage = completion.usage
    if not body.get("stream"):
        return JSONResponse(as_json(completion))
    call.entry.streamed = True
    options = body.get("stream_options") or {}
    events = as_events(completion, include_usage=options.get("include_usage") is True)
    return StreamingResponse(_told(call, events), media_type="text/event-stream")


async def _told(call: Call, events: Any) -> AsyncIterator[bytes]:
    """The events, and in the journal whether the client stayed to the end."""
    call.entry.client_closed = True
    for number, event in enumerate(events):
        if number % EVENTS_BETWEEN_LOOKS == 0:
            await asyncio.sleep(0)  # lets the server notice that the client has gone
        yield event
    call.entry.client_closed = False


async def _embeddings(call: Call) -> Response:
    body = await call.body()
    texts = embedding_inputs(body)
    dimensions = body.get("dimensions")
    if dimensions is None:
        dimensions = DEFAULT_DIMENSIONS
    if isinstance(dimensions, bool) or not isinstance(dimensions, int):
        raise bad_value("dimensions", "'dimensions' must be an integer.")
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise bad_value("dimensions", f"'dimensions' must be from 1 to {MOST_DIMENSIONS}.")
    form = body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise bad_value("encoding_format", "'encoding_format' must be float or base64.")
    call.fail_on_purpose()
    vectors = [embed(text, dimensions) for text in texts]
    tokens = sum(max(len(text.split()), 1) for text in texts)
    call.entry.usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    call.entry.reply = f"{len(vectors)} vectors of {dimensions}"
    written = [as_base64(one) if form == "base64" else one for one in vectors]
    data = [
        {"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(written)
    ]
    return JSONResponse(
        {"object": "list", "data": data, "model": call.entry.model, "usage": call.entry.usage}
    )


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": FIRST_SECOND, "owned_by": "stackproof"}


async def _models(_call: Call) -> Response:
    return JSONResponse({"object": "list", "data": [_model(name) for name in MODELS]})


async def _one_model(call: Call) -> Response:
    return JSONResponse(_model(call.request.path_params["model"]))


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _names(request: Request) -> Response:
    return JSONResponse({"namespaces": request.app.state.namespaces.names()})


async def _whole_journal(request: Request) -> Response:
    namespaces: Namespaces = request.app.state.namespaces
    found = {name: namespaces.get(name).journal.to_json() for name in namespaces.names()}
    return JSONResponse({"namespaces": found})


async def _journal(request: Request) -> Response:
    journal = request.app.state.namespaces.get(request.path_params["namespace"]).journal
    entries = journal.to_json(model=request.query_params.get("model"))
    return JSONResponse({"entries": entries, "dropped": journal.dropped})


async def _reset(request: Request) -> Response:
    request.app.state.namespaces.reset(request.path_params["namespace"])
    return JSONResponse({"status": "ok"})


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = f"Invalid URL ({request.method} {request.url.path})"
    if status == 405:  # noqa: PLR2004 - HTTP's
        message = f"Not allowed to {request.method} on {request.url.path}"
    answer = ProviderError(status, message)
    headers = getattr(error, "headers", None) or {}
    return JSONResponse(answer.envelope, status, headers)


def create_app() -> Starlette:
    """The application, with namespaces of its own."""
    provider = [
        Route("/chat/completions", _endpoint(_chat), methods=["POST"]),
        Route("/embeddings", _endpoint(_embeddings), methods=["POST"]),
        Route("/models", _endpoint(_models), methods=["GET"]),
        Route("/models/{model:path}", _endpoint(_one_model), methods=["GET"]),
    ]
    control = [
        Route("/namespaces", _names),
        Route("/journal", _whole_journal),
        Route("/t/{namespace}/journal", _journal),
        Route("/t/{namespace}/reset", _reset, methods=["POST"]),
    ]
    routes = [
        Route("/health", _health),
        Route("/healthz", _health),
        Mount("/_gateway", routes=control),
        Mount("/v1", routes=provider),
        Mount("/t/{namespace}/v1", routes=provider),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_error})
    app.state.namespaces = Namespaces()
    return app
