"""The files of a vector store, one by one and in batches; indexed at once, or slowly on demand.

Source: OpenAI API reference, "Vector store files" and "Vector store file batches".
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.errors import bad_type, bad_value, missing, not_found
from stackproof_gateway.files import file_of
from stackproof_gateway.listing import deleted, json_response, made, page
from stackproof_gateway.requests import (
    BOOLEAN,
    OBJECT,
    STRING,
    check_count,
    check_shapes,
    parse_body,
    shapes,
)
from stackproof_gateway.store_index import IndexedFile, VectorStore, index

LEAST_CHUNK, LARGEST_CHUNK = 100, 4096
_AUTO = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
_SHAPES = shapes({
    BOOLEAN: "rewrite_query",
    OBJECT: "metadata expires_after ranking_options",
    STRING: "name",
    (list, "an array of strings"): "file_ids",
})  # fmt: skip


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
    pending = call.namespace.shelf.slow_reads
    indexed = IndexedFile(file, chunks, attributes, call.created, strategy, pending)
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


def _to_json(store: VectorStore, indexed: IndexedFile) -> dict[str, Any]:
    return made(
        indexed.file.identity,
        "vector_store.file",
        indexed.created,
        vector_store_id=store.identity,
        usage_bytes=indexed.size,
        status="in_progress" if indexed.pending else "completed",
        last_error=None,
        attributes=indexed.attributes,
        chunking_strategy=indexed.strategy,
    )


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
    return page(call, [_to_json(store, indexed) for indexed in store.files.values()])


async def get_attached(call: Call) -> Response:
    """What is known of a file of a store."""
    await call.fail_on_purpose()
    store, indexed = _own(call)
    indexed.pending = max(indexed.pending - 1, 0)
    return json_response(_to_json(store, indexed))


async def update_attached(call: Call) -> Response:
    """Give a file of a store other attributes."""
    await call.fail_on_purpose()
    store, indexed = _own(call)
    attributes = body_of(call).get("attributes")
    if not isinstance(attributes, dict):
        raise bad_type("attributes", "an object", attributes)
    indexed.attributes = attributes
    return json_response(_to_json(store, indexed))


async def detach(call: Call) -> Response:
    """Take a file out of a store; the file stays."""
    await call.fail_on_purpose()
    store, indexed = _own(call)
    del store.files[indexed.file.identity]
    return deleted(indexed.file.identity, "vector_store.file")


async def attached_content(call: Call) -> Response:
    """The chunks of a file of a store."""
    await call.fail_on_purpose()
    _, indexed = _own(call)
    data = [{"type": "text", "text": chunk.text} for chunk in indexed.chunks]
    kind = "vector_store.file_content.page"
    return json_response({"object": kind, "data": data, "has_more": False, "next_page": None})


async def create_batch(call: Call) -> Response:
    """Index several files into a store."""
    await call.fail_on_purpose()
    store, body = store_of(call), body_of(call)
    shared = {key: body[key] for key in ("attributes", "chunking_strategy") if key in body}
    files = body.get("files")
    if files is None:
        files = [{"file_id": identity, **shared} for identity in body.get("file_ids") or []]
    if not isinstance(files, list) or not files:
        raise missing("file_ids")
    added = [add_file(call, store, file) for file in files]
    identity = call.namespace.next_id("vsfb_")
    batch = made(identity, "vector_store.files_batch", call.created, vector_store_id=store.identity)
    call.namespace.shelf.batches[identity] = {"batch": batch, "files": added}
    return json_response(batch | progress(added))


def progress(files: Collection[IndexedFile]) -> dict[str, Any]:
    """How far the files of a batch, or of a store, are."""
    counts = _counts(files)
    return {
        "status": "in_progress" if counts["in_progress"] else "completed",
        "file_counts": counts,
    }


def _counts(files: Collection[IndexedFile]) -> dict[str, int]:
    """How many files are in each state."""
    pending = sum(indexed.pending > 0 for indexed in files)
    done = len(files) - pending
    counts = {"in_progress": pending, "failed": 0, "cancelled": 0}
    return counts | {"completed": done, "total": len(files)}


def _batch(call: Call) -> dict[str, Any]:
    identity = call.request.path_params["batch"]
    found = call.namespace.shelf.batches.get(identity)
    if found is None:
        raise not_found("VectorStoreFileBatch", identity)
    return found


async def get_batch(call: Call) -> Response:
    """What is known of a batch; also after it was to be cancelled, since nothing fails in it."""
    await call.fail_on_purpose()
    batch = _batch(call)
    for indexed in batch["files"]:
        indexed.pending = max(indexed.pending - 1, 0)
    return json_response(batch["batch"] | progress(batch["files"]))


async def list_batch(call: Call) -> Response:
    """The files of a batch."""
    await call.fail_on_purpose()
    store, batch = store_of(call), _batch(call)
    found = [indexed for indexed in batch["files"] if indexed.file.identity in store.files]
    return page(call, [_to_json(store, indexed) for indexed in found])
