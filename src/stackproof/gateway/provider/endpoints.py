"""The provider's endpoints that are passed on to the real one, and nothing else of it.

Left out is what manages an account: its users, keys, projects, fine-tuned models.
"""

from __future__ import annotations

import re

_STORE = "/vector_stores/{id}"
_BATCHES = "/messages/batches"

ENDPOINTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("POST",), "/chat/completions"),
    (("POST",), "/completions"),
    (("POST",), "/embeddings"),
    (("POST",), "/moderations"),
    (("GET",), "/models"),
    (("GET",), "/models/{path}"),
    (("POST",), "/responses"),
    (("POST",), "/responses/input_tokens"),
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

_ID = "[A-Za-z0-9_~:@=+,-][A-Za-z0-9_.~:@=+,-]*"
_PATTERNS = tuple(
    (verbs, re.compile("/v1" + path.replace("{id}", _ID).replace("{path}", f"{_ID}(?:/{_ID})*")))
    for verbs, path in ENDPOINTS
)


def is_passed_on(method: str, path: str) -> bool:
    """Whether a request may go to the real provider.

    Args:
        method: HTTP method.
        path: Decoded path, from `/v1` on, without a query.
    """
    return any(method in verbs and known.fullmatch(path) for verbs, known in _PATTERNS)
