"""Vector stores: made, filled, searched, deleted.

Source: OpenAI API reference, "Vector stores".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.errors import bad_type, bad_value, missing
from stackproof_gateway.listing import deleted, json_response, made, page
from stackproof_gateway.requests import check_count, check_number
from stackproof_gateway.store_files import add_file, body_of, progress, store_of
from stackproof_gateway.store_filters import read_filter
from stackproof_gateway.store_index import Hit, VectorStore, search

MOST_RESULTS = 50
DEFAULT_RESULTS = 10


def _to_json(store: VectorStore) -> dict[str, Any]:
    return made(
        store.identity, "vector_store", store.created,
        name=store.name, description=None, metadata=store.metadata,
        usage_bytes=sum(indexed.size for indexed in store.files.values()),
        last_active_at=store.created, expires_after=store.expires_after, expires_at=None,
        **progress(store.files.values()),
    )  # fmt: skip


async def create_store(call: Call) -> Response:
    """Make a vector store, and index the files that it is given."""
    await call.fail_on_purpose()
    body = body_of(call)
    store = VectorStore(
        "",
        body.get("name") or "",
        call.created,
        body.get("metadata") or {},
        expires_after=body.get("expires_after"),
    )
    for identity in body.get("file_ids") or []:
        add_file(call, store, {"file_id": identity, **_strategy(body)})
    store.identity = call.namespace.next_id("vs_")
    call.namespace.shelf.stores[store.identity] = store
    return json_response(_to_json(store))


def _strategy(body: dict[str, Any]) -> dict[str, Any]:
    return {key: body[key] for key in ("chunking_strategy",) if key in body}


async def list_stores(call: Call) -> Response:
    """The vector stores."""
    await call.fail_on_purpose()
    return page(call, [_to_json(store) for store in call.namespace.shelf.stores.values()])


async def get_store(call: Call) -> Response:
    """What is known of a vector store."""
    await call.fail_on_purpose()
    return json_response(_to_json(store_of(call)))


async def update_store(call: Call) -> Response:
    """Give a vector store another name or other metadata."""
    await call.fail_on_purpose()
    store, body = store_of(call), body_of(call)
    store.name = body.get("name") or store.name
    store.metadata = store.metadata if body.get("metadata") is None else body["metadata"]
    store.expires_after = body.get("expires_after", store.expires_after)
    return json_response(_to_json(store))


async def delete_store(call: Call) -> Response:
    """Forget a vector store; its files stay."""
    await call.fail_on_purpose()
    store = store_of(call)
    del call.namespace.shelf.stores[store.identity]
    return deleted(store.identity, "vector_store")


async def search_store(call: Call) -> Response:
    """The chunks of a vector store that are nearest to a query."""
    await call.fail_on_purpose()
    store, body = store_of(call), body_of(call)
    queries = _queries(body)
    most = check_count(body, "max_num_results", MOST_RESULTS) or DEFAULT_RESULTS
    ranking = body.get("ranking_options") or {}
    check_number(ranking, "score_threshold", 0, 1)
    fits = read_filter(body.get("filters"))
    files = [indexed for indexed in store.files.values() if fits(indexed.attributes)]
    hits = search(files, queries, call.request.app.state.concepts, most)
    lowest = ranking.get("score_threshold") or 0
    data = [_result(hit) for hit in hits if hit.score >= lowest]
    call.entry.reply = f"{len(data)} results"
    return json_response({
        "object": "vector_store.search_results.page",
        "search_query": queries,
        "data": data,
        "has_more": False,
        "next_page": None,
    })  # fmt: skip


def _queries(body: dict[str, Any]) -> list[str]:
    given = body.get("query")
    if given is None:
        raise missing("query")
    queries = [given] if isinstance(given, str) else given
    if not isinstance(queries, list):
        raise bad_type("query", "a string or an array of strings", given)
    if not queries or not all(isinstance(query, str) and query for query in queries):
        raise bad_value("query", "Invalid 'query': expected non-empty strings.")
    return queries


def _result(hit: Hit) -> dict[str, Any]:
    return {
        "file_id": hit.indexed.file.identity,
        "filename": hit.indexed.file.name,
        "score": hit.score,
        "attributes": hit.indexed.attributes,
        "content": [{"type": "text", "text": hit.text}],
    }
