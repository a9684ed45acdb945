"""The embeddings endpoint.

Source: OpenAI API reference, "Create embeddings".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof.gateway.call import Call
from stackproof.gateway.embeddings import DEFAULT_DIMENSIONS, MOST_DIMENSIONS, as_base64, embed
from stackproof.gateway.errors import bad_type, bad_value
from stackproof.gateway.generation import consult
from stackproof.gateway.listing import json_response
from stackproof.gateway.prompt import Prompt, count_tokens
from stackproof.gateway.requests import check_count

MOST_INPUTS = 2048
KNOWN_FIELDS = frozenset({"dimensions", "encoding_format", "input", "model", "user"})


async def embeddings(call: Call) -> Response:
    """Embed texts or tokens."""
    body = call.body(KNOWN_FIELDS)
    texts = embedding_inputs(body)
    dimensions = check_count(body, "dimensions", MOST_DIMENSIONS) or DEFAULT_DIMENSIONS
    form = body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise bad_value("encoding_format", "'encoding_format' must be float or base64.")
    await call.fail_on_purpose()
    await consult(call, Prompt(call.entry.model, call.entry.path, last="\n".join(texts)))
    tokens = sum(count_tokens(text) for text in texts)
    call.entry.usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    call.entry.reply = f"{len(texts)} vectors of {dimensions}"
    concepts = call.request.app.state.concepts
    vectors = [embed(text, dimensions, concepts) for text in texts]
    written = [as_base64(one) if form == "base64" else one for one in vectors]
    data = [
        {"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(written)
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
    if all(_is_token(one) for one in given):
        return [_token_text(given)]
    if len(given) > MOST_INPUTS:
        raise bad_value("input", f"'input' must have at most {MOST_INPUTS} items.")
    texts = []
    for one in given:
        if isinstance(one, str) and one:
            texts.append(one)
        elif isinstance(one, list) and one and all(_is_token(token) for token in one):
            texts.append(_token_text(one))
        else:
            raise bad_value("input", "'input' must hold non-empty strings, or arrays of tokens.")
    return texts


def _token_text(tokens: list[int]) -> str:
    return " ".join(map(hex, tokens))


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
