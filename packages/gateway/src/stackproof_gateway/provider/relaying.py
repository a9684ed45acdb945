"""Calls in the modes replay, record and live: faults and scripts go before whoever answers.

A script that says something answers by itself, and nothing is sent on; one that only says how an
answer travels, and the faults cut and eof, take effect on the recorded or the provider's answer.
"""

from __future__ import annotations

import contextlib
from typing import Any

from starlette.responses import Response

from stackproof_gateway.apis import is_upload, model_in
from stackproof_gateway.call import Answer, Call, meant
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.generation import (
    BROKEN_STREAM,
    Dialect,
    consult,
    fault_pacing,
    openai_error_event,
    written,
)
from stackproof_gateway.prompt import Prompt, text_of
from stackproof_gateway.provider.spoiling import spoilt
from stackproof_gateway.requests import model_of
from stackproof_gateway.scripts import AT_ONCE


def relayed(dialect: Dialect | None = None) -> Answer:
    """The answer of an endpoint behind which is the provider, or what was recorded of it.

    Args:
        dialect: How the endpoint reads and writes, if it writes something.
    """
    broken = (dialect.error_event if dialect else openai_error_event)(BROKEN_STREAM)

    async def answer(call: Call) -> Response:
        prompt = _prompt(call, dialect)
        pacing = await fault_pacing(call, stream=prompt.stream)
        scripted = None if pacing else await consult(call, prompt)
        if scripted is not None and scripted.reply is not None and dialect is not None:
            return written(call, dialect, prompt, scripted, scripted.pacing)
        mode = call.request.app.state.mode
        call.entry.source = mode.mode
        response: Response = await mode.answer(call)
        pacing = pacing or (scripted.pacing if scripted else AT_ONCE)
        return response if pacing == AT_ONCE else spoilt(response, pacing, broken)

    return answer


def _prompt(call: Call, dialect: Dialect | None) -> Prompt:
    """What is asked, as far as the gateway can tell; the provider says whether it is right."""
    body: dict[str, Any] = {}
    if is_upload(call.entry.path):
        return Prompt("", call.entry.path)  # its body is a file's, and asks no model
    with contextlib.suppress(ProviderError):
        body = meant(call.request, call.data)
        call.entry.model = model_in(call.entry.path) or model_of(body)
        if dialect is not None:
            return dialect.read(call, body)
    stream = body.get("stream") is True
    return Prompt(call.entry.model, call.entry.path, last=_input(body), stream=stream, body=body)


def _input(body: dict[str, Any]) -> str:
    """The texts of a request that is no conversation, such as one for embeddings."""
    given = body.get("input")
    several = body.get("requests")
    for asked in several if isinstance(several, list) else [body]:
        if isinstance(asked, dict) and isinstance(asked.get("content"), dict):
            given = [*(given or ()), text_of(asked["content"].get("parts"))]
    texts = given if isinstance(given, list) else [given]
    return "\n".join(text for text in texts if isinstance(text, str))
