"""The files of a vector store, one by one and in batches; indexing is done at once.

Source: OpenAI API reference, "Vector store files" and "Vector store file batches".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof.gateway.call import Call
from stackproof.gateway.errors import bad_type, bad_value, missing, not_found
from stackproof.gateway.files import file_of
from stackproof.gateway.listing import deleted, json_response, page
from stackproof.gateway.requests import Shapes, check_count, check_shapes, parse_body
from stackproof.gateway.store_index import IndexedFile, VectorStore, index

LEAST_CHUNK, LARGEST_CHUNK = 100, 4096
_AUTO = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
_SHAPES: Shapes = {
    "name": (str, "a string"),
    "metadata": (dict, "an object"),
    "file_ids": (list, "an array of strings"),
    "expires_after": (dict, "an object"),
    "ranking_options": (dict, "an object"),
    "rewrite_query": (bool, "a boolean"),
}


def body_of(call: Call) -> dict[str, Any]:
    """The body of a request about stores, which may be empty.

    Raises:
        ProviderError: If it is no object, or has fields of a wrong type.
    """
    body = parse_body(call.data) if call.data else {}
    check_shapes(body, _SHAPES)
    return body


def store_of(call: Call) -> VectorStore:
    """The vector store of a request's path.

    Raises:
        ProviderError: If there is none.
    """
    identity = call.request.path_params["store"]
    found: VectorStore | None = call.namespace.shelf.stores.get(identity)
    if found is None:
        raise not_found("VectorStore", identity)
    return found


def add_file(call: Call, store: VectorStore, given: Any) -> IndexedFile:
    """Index a file into a store.

    Args:
        call: The call that asks for it.
        store: The store.
        given: `{file_id, attributes, chunking_strategy}`.

    Raises:
        ProviderError: If there is no such file, or the rest is not what it should be.
    """
    if not isinstance(given, dict):
        raise bad_type("files", "an array of objects", given)
    if given.get("file_id") is None:
        raise missing("file_id")
    file = file_of(call, given["file_id"])
    attributes = given.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise bad_type("attributes", "an object", attributes)
    strategy = _strategy(given.get("chunking_strategy"))
    chunks = index(file, strategy, call.request.app.state.concepts)
    indexed = IndexedFile(file, chunks, attributes, call.created, strategy)
    store.files[file.identity] = indexed
    return indexed


def _strategy(given: Any) -> dict[str, Any]:
    if given is None:
        return _AUTO
    if not isinstance(given, dict):
        raise bad_type("chunking_strategy", "an object", given)
    if given.get("type") == "auto":
        return _AUTO
    static = given.get("static")
    if given.get("type") != "static" or not isinstance(static, dict):
        raise bad_value("chunking_strategy.type", "'chunking_strategy' is 'auto' or 'static'.")
    size = check_count(static, "max_chunk_size_tokens", LARGEST_CHUNK, lowest=LEAST_CHUNK) or 800
    overlap = check_count(static, "chunk_overlap_tokens", size // 2, lowest=0)
    sizes = {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap or 0}
    return {"type": "static", "static": sizes}


def _to_json(store: VectorStore, one: IndexedFile) -> dict[str, Any]:
    return {
        "id": one.file.identity,
        "object": "vector_store.file",
        "created_at": one.created,
        "vector_store_id": store.identity,
        "usage_bytes": one.size,
        "status": "completed",
        "last_error": None,
        "attributes": one.attributes,
        "chunking_strategy": one.strategy,
    }


async def attach(call: Call) -> Response:
    """Index a file into a store."""
    await call.fail_on_purpose()
    store = store_of(call)
    return json_response(_to_json(store, add_file(call, store, body_of(call))))


def _own(call: Call) -> tuple[VectorStore, IndexedFile]:
    store, identity = store_of(call), call.request.path_params["file"]
    found = store.files.get(identity)
    if found is None:
        raise not_found("VectorStoreFile", identity)
    return store, found


async def list_attached(call: Call) -> Response:
    """The files of a store."""
    await call.fail_on_purpose()
    store = store_of(call)
    return page(call, [_to_json(store, one) for one in store.files.values()])


async def get_attached(call: Call) -> Response:
    """What is known of a file of a store."""
    await call.fail_on_purpose()
    return json_response(_to_json(*_own(call)))


async def update_attached(call: Call) -> Response:
    """Give a file of a store other attributes."""
    await call.fail_on_purpose()
    store, one = _own(call)
    attributes = body_of(call).get("attributes")
    if not isinstance(attributes, dict):
        raise bad_type("attributes", "an object", attributes)
    one.attributes = attributes
    return json_response(_to_json(store, one))


async def detach(call: Call) -> Response:
    """Take a file out of a store; the file stays."""
    await call.fail_on_purpose()
    store, one = _own(call)
    del store.files[one.file.identity]
    return deleted(one.file.identity, "vector_store.file")


async def attached_content(call: Call) -> Response:
    """The chunks of a file of a store."""
    await call.fail_on_purpose()
    _, one = _own(call)
    data = [{"type": "text", "text": chunk.text} for chunk in one.chunks]
    kind = "vector_store.file_content.page"
    return json_response({"object": kind, "data": data, "has_more": False, "next_page": None})


async def create_batch(call: Call) -> Response:
    """Index several files into a store."""
    await call.fail_on_purpose()
    store, body = store_of(call), body_of(call)
    shared = {key: body[key] for key in ("attributes", "chunking_strategy") if key in body}
    files = body.get("files")
    if files is None:
        files = [{"file_id": one, **shared} for one in body.get("file_ids") or []]
    if not isinstance(files, list) or not files:
        raise missing("file_ids")
    added = [add_file(call, store, one) for one in files]
    counts = {"in_progress": 0, "failed": 0, "cancelled": 0}
    identity = call.namespace.next_id("vsfb_")
    batch = {
        "id": identity,
        "object": "vector_store.files_batch",
        "created_at": call.created,
        "vector_store_id": store.identity,
        "status": "completed",
        "file_counts": {**counts, "completed": len(added), "total": len(added)},
    }
    ids = [one.file.identity for one in added]
    call.namespace.shelf.batches[identity] = {"batch": batch, "files": ids}
    return json_response(batch)


def _batch(call: Call) -> dict[str, Any]:
    identity = call.request.path_params["batch"]
    found = call.namespace.shelf.batches.get(identity)
    if found is None:
        raise not_found("VectorStoreFileBatch", identity)
    return found


async def get_batch(call: Call) -> Response:
    """What is known of a batch; also after it was to be cancelled, since it is done at once."""
    await call.fail_on_purpose()
    return json_response(_batch(call)["batch"])


async def list_batch(call: Call) -> Response:
    """The files of a batch."""
    await call.fail_on_purpose()
    store, batch = store_of(call), _batch(call)
    found = [store.files[one] for one in batch["files"] if one in store.files]
    return page(call, [_to_json(store, one) for one in found])
