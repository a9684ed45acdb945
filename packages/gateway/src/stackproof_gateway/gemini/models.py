"""Gemini's models, counted tokens and embeddings.

Source: Gemini API reference, "Models", "Counting tokens" and "Embeddings".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof_gateway.apis import GOOGLE_METHODS
from stackproof_gateway.call import Call
from stackproof_gateway.embeddings import MOST_DIMENSIONS, embed
from stackproof_gateway.gemini.answers import in_words
from stackproof_gateway.gemini.contents import broken, check_contents, invalid, text_of, tokens_of
from stackproof_gateway.gemini.fields import read
from stackproof_gateway.gemini.requests import read_prompt
from stackproof_gateway.generation import consult
from stackproof_gateway.listing import json_response
from stackproof_gateway.prompt import Prompt, count_tokens
from stackproof_gateway.requests import parse_body

MODELS = ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001")
DIMENSIONS = 3072
MOST_EMBEDDED = 100
INPUT_LIMIT, OUTPUT_LIMIT = 1_048_576, 65_536


def _model(call: Call, name: str) -> dict[str, Any]:
    rules = call.request.app.state.model_rules.of(name)
    embeds = rules.dimensions is not None or "embedding" in name
    methods = GOOGLE_METHODS[3:] if embeds else GOOGLE_METHODS[:3]
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "description": f"{name}, as the gateway plays it",
        "inputTokenLimit": rules.max_input or rules.context or INPUT_LIMIT,
        "outputTokenLimit": 1 if embeds else rules.max_output or OUTPUT_LIMIT,
        "supportedGenerationMethods": [name for name in methods if name != "streamGenerateContent"],
        **({} if embeds else {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}),
    }


async def list_models(call: Call) -> Response:
    """The list of models; any other name exists as well."""
    await call.fail_on_purpose()
    return json_response({"models": [_model(call, name) for name in MODELS]})


async def get_model(call: Call) -> Response:
    """One model, whatever its name."""
    call.entry.model = call.request.path_params["model"]
    return json_response(_model(call, call.entry.model))


def _body(call: Call, message: str) -> dict[str, Any]:
    call.entry.model = call.request.path_params["model"]
    return read(message, parse_body(call.data))


async def count(call: Call) -> Response:
    """How many tokens contents, or a whole request, have."""
    body = _body(call, "CountTokensRequest")
    whole = body.get("generateContentRequest")
    if whole is not None and "contents" in body:
        raise invalid("contents and generate_content_request must not both be set.")
    if whole is not None:
        tokens = read_prompt(call, whole).tokens
    else:
        contents = body.get("contents") or []
        check_contents(contents, "CountTokensRequest")
        tokens = tokens_of(contents)
    await call.fail_on_purpose()
    call.entry.usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_response({"totalTokens": tokens, "promptTokensDetails": in_words(tokens)})


async def embed_one(call: Call) -> Response:
    """Embed one content."""
    vectors, tokens = await _embedded(call, [_body(call, "EmbedContentRequest")])
    return json_response({"embedding": vectors[0], "usageMetadata": _usage(tokens)})


async def embed_many(call: Call) -> Response:
    """Embed several contents."""
    asked = _body(call, "BatchEmbedContentsRequest").get("requests") or []
    if not 1 <= len(asked) <= MOST_EMBEDDED:
        problem = (
            "at most 100 requests can be in one batch" if asked else "requests is not specified"
        )
        raise broken("BatchEmbedContentsRequest.requests", problem)
    vectors, tokens = await _embedded(call, asked)
    return json_response({"embeddings": vectors, "usageMetadata": _usage(tokens)})


def _usage(tokens: int) -> dict[str, Any]:
    return {"promptTokenCount": tokens, "promptTokensDetails": in_words(tokens)}


async def _embedded(call: Call, asked: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    texts = [_text(request) for request in asked]
    sizes = [_dimensions(call, request) for request in asked]
    await call.fail_on_purpose()
    await consult(call, Prompt(call.entry.model, call.entry.path, last="\n".join(texts)))
    tokens = sum(count_tokens(text) for text in texts)
    call.entry.usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    call.entry.reply = f"{len(texts)} vectors of {sizes[0]}"
    concepts = call.request.app.state.concepts
    vectors = [embed(text, size, concepts) for text, size in zip(texts, sizes, strict=True)]
    return [{"values": vector} for vector in vectors], tokens


def _text(request: dict[str, Any]) -> str:
    content = request.get("content") or {}
    text = text_of(content)
    if not content.get("parts"):
        raise broken("EmbedContentRequest.content", "contents is not specified")
    if not text:
        raise broken("EmbedContentRequest.content", "content is empty")
    return text


def _dimensions(call: Call, request: dict[str, Any]) -> int:
    wanted: int | None = request.get("outputDimensionality")
    most = call.rules.dimensions or MOST_DIMENSIONS
    if wanted is None:
        return call.rules.dimensions or DIMENSIONS
    if not 1 <= wanted <= most:
        raise broken("EmbedContentRequest.output_dimensionality",
                     f"output_dimensionality must be in the range [1, {most}].")  # fmt: skip
    return wanted
