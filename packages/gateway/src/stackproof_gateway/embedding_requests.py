"""The embeddings endpoint.

Source: OpenAI API reference, "Create embeddings".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.embeddings import DEFAULT_DIMENSIONS, MOST_DIMENSIONS, as_base64, embed
from stackproof_gateway.errors import bad_type, bad_value
from stackproof_gateway.generation import consult
from stackproof_gateway.listing import json_response
from stackproof_gateway.model_checks import check_embedding_model
from stackproof_gateway.prompt import Prompt, count_tokens
from stackproof_gateway.requests import check_count

MOST_INPUTS = 2048
KNOWN_FIELDS = frozenset({"dimensions", "encoding_format", "input", "model", "user"})


async def embeddings(call: Call) -> Response:
    """Embed texts or tokens."""
    body = call.body(KNOWN_FIELDS)
    texts = embedding_inputs(body)
    wanted = check_count(body, "dimensions", MOST_DIMENSIONS)
    counts = [count_tokens(text) for text in texts]
    check_embedding_model(wanted, counts, call.rules)
    dimensions = wanted or call.rules.dimensions or DEFAULT_DIMENSIONS
    form = body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise bad_value("encoding_format", "'encoding_format' must be float or base64.")
    await call.fail_on_purpose()
    await consult(call, Prompt(call.entry.model, call.entry.path, last="\n".join(texts)))
    tokens = sum(counts)
    call.entry.usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    call.entry.reply = f"{len(texts)} vectors of {dimensions}"
    concepts = call.request.app.state.concepts
    vectors = [embed(text, dimensions, concepts) for text in texts]
    written = [as_base64(vector) if form == "base64" else vector for vector in vectors]
    data = [
        {"object": "embedding", "index": at, "embedding": vector}
        for at, vector in enumerate(written)
    ]
    return json_response(
        {"object": "list", "data": data, "model": call.entry.model, "usage": call.entry.usage}
    )


def embedding_inputs(body: dict[str, Any]) -> list[str]:
    """The texts of an embeddings request; token numbers stand for themselves.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    given = body.get("input")
    if given is None or given in ("", []):
        raise bad_value("input", "'input' must be a non-empty string or array.")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise bad_type("input", "a string or an array", given)
    if all(_is_token(token) for token in given):
        return [_token_text(given)]
    if len(given) > MOST_INPUTS:
        raise bad_value("input", f"'input' must have at most {MOST_INPUTS} items.")
    texts = []
    for item in given:
        if isinstance(item, str) and item:
            texts.append(item)
        elif isinstance(item, list) and item and all(_is_token(token) for token in item):
            texts.append(_token_text(item))
        else:
            raise bad_value("input", "'input' must hold non-empty strings, or arrays of tokens.")
    return texts


def _token_text(tokens: list[int]) -> str:
    return " ".join(map(hex, tokens))


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
