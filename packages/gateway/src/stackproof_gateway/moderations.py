"""Moderation: nothing is flagged, unless a text says `Flag as: CATEGORY`.

Source: OpenAI API reference, "Create moderation".
"""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.errors import bad_type, missing
from stackproof_gateway.generation import consult
from stackproof_gateway.listing import json_response
from stackproof_gateway.prompt import Prompt
from stackproof_gateway.requests import parse_body, unknown_fields

DEFAULT_MODEL = "omni-moderation-latest"
KNOWN_FIELDS = frozenset({"input", "model"})
CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit",
    "illicit/violent", "self-harm", "self-harm/instructions", "self-harm/intent", "sexual",
    "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip

_FLAG = re.compile(r"Flag as:[ \t]*([^\n]*)")


async def moderations(call: Call) -> Response:
    """Judge texts."""
    body = parse_body(call.data)
    model = body.get("model") or DEFAULT_MODEL
    if not isinstance(model, str):
        raise bad_type("model", "a string", model)
    call.entry.model = model
    call.entry.unknown_fields = unknown_fields(body, KNOWN_FIELDS)
    texts = _inputs(body)
    await call.fail_on_purpose()
    await consult(call, Prompt(model, call.entry.path, last="\n".join(texts)))
    results = [_result(text) for text in texts]
    call.entry.reply = f"{sum(result['flagged'] for result in results)} of {len(results)} flagged"
    return json_response({"id": f"modr-{call.entry.seq:08d}", "model": model, "results": results})


def _inputs(body: dict[str, Any]) -> list[str]:
    given = body.get("input")
    if given is None or given == []:
        raise missing("input")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise bad_type("input", "a string or an array", given)
    texts = []
    for number, part in enumerate(given):
        text = part.get("text", "") if isinstance(part, dict) else part
        if not isinstance(text, str):
            raise bad_type(f"input[{number}]", "a string or an object", text)
        texts.append(text)
    return ["\n".join(texts)] if isinstance(given[0], dict) else texts


def _result(text: str) -> dict[str, Any]:
    said = _FLAG.search(text)
    wanted = {category.strip() for category in said[1].split(",")} if said else set()
    flags = {name: name in wanted for name in CATEGORIES}
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": {name: 0.99 if flag else 0.0001 for name, flag in flags.items()},
        "category_applied_input_types": {name: ["text"] if flag else []
                                         for name, flag in flags.items()},
    }  # fmt: skip
