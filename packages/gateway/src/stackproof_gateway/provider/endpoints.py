"""The provider's endpoints that are passed on to the real one, and nothing else of it.

Left out is what manages an account: its users, keys, projects, fine-tuned models.
"""

from __future__ import annotations

import re

from stackproof_gateway.apis import GOOGLE_METHODS

_STORE = "/vector_stores/{id}"
_BATCHES = "/messages/batches"
_CHAT = "/chat/completions/{id}"
_UPLOAD = "/uploads/{id}"

ENDPOINTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("GET", "POST"), "/chat/completions"),
    (("GET", "POST", "DELETE"), _CHAT),
    (("GET",), f"{_CHAT}/messages"),
    (("POST",), "/completions"),
    (("POST",), "/embeddings"),
    (("POST",), "/moderations"),
    (("GET",), "/models"),
    (("GET",), "/models/{path}"),
    (("POST",), "/responses"),
    (("POST",), "/responses/input_tokens"),
    (("POST",), "/responses/compact"),
    (("GET", "DELETE"), "/responses/{id}"),
    (("POST",), "/responses/{id}/cancel"),
    (("GET",), "/responses/{id}/input_items"),
    (("POST",), "/conversations"),
    (("GET", "POST", "DELETE"), "/conversations/{id}"),
    (("GET", "POST"), "/conversations/{id}/items"),
    (("GET", "DELETE"), "/conversations/{id}/items/{id}"),
    (("POST",), "/messages"),
    (("POST",), "/messages/count_tokens"),
    (("GET", "POST"), _BATCHES),
    (("GET", "DELETE"), f"{_BATCHES}/{{id}}"),
    (("POST",), f"{_BATCHES}/{{id}}/cancel"),
    (("GET",), f"{_BATCHES}/{{id}}/results"),
    (("GET", "POST"), "/batches"),
    (("GET",), "/batches/{id}"),
    (("POST",), "/batches/{id}/cancel"),
    (("GET", "POST"), "/files"),
    (("GET", "DELETE"), "/files/{id}"),
    (("GET",), "/files/{id}/content"),
    (("POST",), "/uploads"),
    (("POST",), f"{_UPLOAD}/parts"),
    (("POST",), f"{_UPLOAD}/complete"),
    (("POST",), f"{_UPLOAD}/cancel"),
    (("GET", "POST"), "/vector_stores"),
    (("GET", "POST", "DELETE"), _STORE),
    (("POST",), f"{_STORE}/search"),
    (("GET", "POST"), f"{_STORE}/files"),
    (("GET", "POST", "DELETE"), f"{_STORE}/files/{{id}}"),
    (("GET",), f"{_STORE}/files/{{id}}/content"),
    (("POST",), f"{_STORE}/file_batches"),
    (("GET",), f"{_STORE}/file_batches/{{id}}"),
    (("POST",), f"{_STORE}/file_batches/{{id}}/cancel"),
    (("GET",), f"{_STORE}/file_batches/{{id}}/files"),
    (("POST",), "/audio/speech"),
    (("POST",), "/audio/transcriptions"),
    (("POST",), "/audio/translations"),
    (("POST",), "/images/generations"),
    (("POST",), "/images/edits"),
    (("POST",), "/images/variations"),
)
"""Methods and path below `/v1`; `{id}` is one segment, `{path}` one or more."""

GOOGLES: tuple[tuple[tuple[str, ...], str], ...] = (
    *((("POST",), f"/models/{{path}}:{method}") for method in GOOGLE_METHODS),
    (("GET",), "/models"),
    (("GET",), "/models/{path}"),
    (("GET",), "/files"),
    (("GET", "DELETE"), "/files/{id}"),
)
"""The same of Google's, below `/v1` and `/v1beta`."""

GOOGLES_UPLOADS: tuple[tuple[tuple[str, ...], str], ...] = ((("POST",), "/files"),)
"""The same of Google's, below `/upload/v1` and `/upload/v1beta`."""

_ID = "[A-Za-z0-9_~:@=+,-][A-Za-z0-9_.~:@=+,-]*"
_PATTERNS = tuple(
    (verbs, re.compile(version + path.replace("{id}", _ID).replace("{path}", f"{_ID}(?:/{_ID})*")))
    for version, endpoints in (
        ("/v1", ENDPOINTS),
        ("/v1(?:beta)?", GOOGLES),
        ("/upload/v1(?:beta)?", GOOGLES_UPLOADS),
    )
    for verbs, path in endpoints
)


def is_passed_on(method: str, path: str) -> bool:
    """Whether a request may go to the real provider.

    Args:
        method: HTTP method.
        path: Decoded path, from `/v1` on, without a query.
    """
    return any(method in verbs and known.fullmatch(path) for verbs, known in _PATTERNS)
