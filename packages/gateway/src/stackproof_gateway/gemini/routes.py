"""Gemini's endpoints, below `/v1beta` and `/v1`."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from stackproof_gateway.call import Answer, Call
from stackproof_gateway.gemini import answers, files, models, requests
from stackproof_gateway.gemini.caching import cache_counts
from stackproof_gateway.generation import Dialect, generator

EVENTS = Dialect(
    requests.KNOWN_FIELDS, requests.read_generation, answers.as_json, answers.as_events,
    answers.error_event, cache_counts=cache_counts,
)  # fmt: skip
LIST = Dialect(
    requests.KNOWN_FIELDS, requests.read_generation, answers.as_json, answers.as_list,
    answers.error_in_list, media_type="application/json", cache_counts=cache_counts,
)  # fmt: skip

GENERATE = "/models/{model:path}:generateContent"
STREAM = "/models/{model:path}:streamGenerateContent"
VERSIONS = ("/v1beta", "/v1")
UPLOADS = tuple(f"/upload{version}/files" for version in VERSIONS)

ENDPOINTS: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/models/{model:path}:countTokens", models.count),
    ("POST", "/models/{model:path}:embedContent", models.embed_one),
    ("POST", "/models/{model:path}:batchEmbedContents", models.embed_many),
)
"""Those that no other provider has."""

SHARED: tuple[tuple[str, str, Answer], ...] = (
    ("GET", "/models", models.list_models),
    ("GET", "/models/{model:path}", models.get_model),
    ("GET", "/files", files.list_files),
    ("GET", "/files/{file}", files.get_file),
    ("DELETE", "/files/{file}", files.delete_file),
)
"""Those whose paths below `/v1` are another provider's as well."""


def streamed(answering: Callable[[Dialect], Answer] = generator) -> Answer:
    """The answer of a stream: events where the query asks for them, else one list.

    Args:
        answering: What makes the answer of a dialect.
    """
    events, listed = answering(EVENTS), answering(LIST)

    async def answer(call: Call) -> Response:
        return await (listed if call.in_list else events)(call)

    return answer


def generating(answering: Callable[[Dialect], Answer] = generator) -> list[tuple[str, Answer]]:
    """The endpoints that write something, and their answers.

    Args:
        answering: What makes the answer of a dialect.
    """
    return [(GENERATE, answering(EVENTS)), (STREAM, streamed(answering))]
