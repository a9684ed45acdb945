"""An endpoint of the provider: what stands around an answer, and what is refused before it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from stackproof_gateway.apis import ANTHROPIC, GOOGLE, OPENAI, model_in, no_key, query_key
from stackproof_gateway.bodies import is_form, read_body, read_form_body
from stackproof_gateway.call import READ, Answer, Call, meant, own_path, query_of
from stackproof_gateway.delivery import CutResponse
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import NO_RETRY, WORDS, parse_exactly
from stackproof_gateway.namespaces import DEFAULT, api_key, namespace_of
from stackproof_gateway.requests import model_of
from stackproof_gateway.server_paths import ELSEWHERE

CLIENT_GONE = 499
OPENAI_HEADERS = (
    (b"openai-version", b"2020-10-01"),
    (b"openai-processing-ms", b"1"),
)
"""Headers of OpenAI's answers; the time is always the same, so that answers are."""

log = logging.getLogger("stackproof_gateway")

Endpoint = Callable[[Request], Awaitable[Response]]


def _namespace_name(
    request: Request, path: str, headers: Mapping[str, str], key: str, data: bytes
) -> str | None:
    """The namespace of a request; its body is only read where nothing else says it."""
    test_id = headers.get("x-test-id", "")
    name = namespace_of(request.path_params.get("namespace"), key, test_id)
    if name is None and data and request.method == "POST":
        try:
            model = model_in(path)
            if not model:
                request.scope[READ] = body = meant(request, data)
                model = model_of(body)
            return namespace_of(None, model=model)
        except ProviderError:
            return None
    return name


def endpoint(answer: Answer, *, needs_key: bool = True, takes_forms: bool = False) -> Endpoint:
    """An endpoint of the provider: namespace, key, journal and errors around an answer.

    Args:
        answer: What it answers.
        needs_key: Whether a request without a key, or without a required namespace, is refused.
        takes_forms: Whether forms with files are kept out of the memory.
    """

    async def serve(request: Request) -> Response:
        try:
            spooled = takes_forms and is_form(request)
            body = await (read_form_body if spooled else read_body)(request)
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        headers = {key.decode("latin-1"): value.decode("latin-1")
                   for key, value in request.scope["headers"]}  # fmt: skip
        state, path = request.app.state, own_path(request)
        key = api_key(headers, state.server.key_headers)
        key = key or query_key(query_of(request), path, headers)
        name = _namespace_name(request, path, headers, key, body.data)
        call = Call(request, state.namespaces.get(name or DEFAULT), body, headers, key)
        call.namespace.journal.add(call.entry)
        response = await _answered(
            call, answer, too_large=body.too_large, named=name is not None, needs_key=needs_key
        )
        call.presence.close()
        call.namespace.journal.learn(call.entry)
        number = b"req_%08d" % call.entry.seq
        if call.api == ANTHROPIC:
            response.raw_headers.append((b"request-id", number))
        elif call.api != GOOGLE:
            response.raw_headers += [*OPENAI_HEADERS, (b"x-request-id", number)]
        call.finish(response.status_code)
        if body.form is not None:
            body.form.close()
        return response

    return serve


async def _answered(
    call: Call, answer: Answer, *, too_large: bool, named: bool, needs_key: bool
) -> Response:
    try:
        _check_outside(call, too_large=too_large, named=named, needs_key=needs_key)
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
        log.exception("the gateway failed; this is a bug in it")
        return call.refuse(
            ProviderError(500, "The gateway itself failed; its log says why.", kind="server_error")
        )


def _check_outside(call: Call, *, too_large: bool, named: bool, needs_key: bool) -> None:
    """Refuse a request for what is around its content."""
    if too_large:
        raise ProviderError(413, "The body of your request is too large.")
    words = call.request.path_params.get("fault")
    if words and parse_exactly(words) is None:
        message = f"The base URL asks for the fault {words[:64]!a}, which is none; {WORDS}."
        raise ProviderError(400, message, code="unknown_fault", headers=dict(NO_RETRY))
    if not needs_key or call.upload is not None:  # the address of an upload stands for a key
        return
    if call.request.scope.get(ELSEWHERE):
        raise ProviderError(404, "Resource not found")
    if not call.key and (call.api != OPENAI or "key" not in call.server.tolerates):
        raise no_key(call.api)
    if not named and call.state.options.strict_namespaces:
        raise ProviderError(
            400,
            "This gateway serves namespaces only: use the base URL /t/NAME/v1, the key "
            "sk-e2e-NAME, the header X-Test-Id, or a model whose name ends with -ns-NAME.",
            code="namespace_required",
        )
