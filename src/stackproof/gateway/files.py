"""The files of a namespace: uploaded, listed, read and deleted.

Source: OpenAI API reference, "Files".
"""

from __future__ import annotations

from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stackproof.gateway.call import LARGEST_BODY, Call
from stackproof.gateway.errors import ProviderError, bad_value, missing, not_found
from stackproof.gateway.listing import json_response, page
from stackproof.gateway.shelf import StoredFile

PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")


async def upload(call: Call) -> Response:
    """Keep a file."""
    await call.fail_on_purpose()
    name, content, purpose = await _form(call)
    if purpose not in PURPOSES:
        raise bad_value("purpose", f"{purpose[:40]!r} is not one of {list(PURPOSES)} - 'purpose'")
    identity = call.namespace.next_id("file-")
    stored = StoredFile(identity, name, purpose, content, call.created)
    call.namespace.shelf.files[identity] = stored
    call.entry.reply = f"{identity} {ascii(name)[1:-1]}"
    return json_response(stored.to_json())


async def _form(call: Call) -> tuple[str, bytes, str]:
    """Name, content and purpose of an uploaded file."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": call.data, "more_body": False}

    try:
        async with Request(call.request.scope, receive).form(max_part_size=LARGEST_BODY) as form:
            file, purpose = form.get("file"), form.get("purpose")
            if not isinstance(file, UploadFile):
                raise missing("file")
            content = await file.read()
    except (HTTPException, AssertionError, KeyError, UnicodeError):
        raise ProviderError(400, "We could not parse the multipart form of your request.") from None
    if not isinstance(purpose, str):
        raise missing("purpose")
    return file.filename or "upload", content, purpose


def file_of(call: Call, identity: Any) -> StoredFile:
    """A file of the call's namespace.

    Raises:
        ProviderError: If there is none.
    """
    stored = call.namespace.shelf.files.get(identity) if isinstance(identity, str) else None
    if stored is None:
        raise not_found("File", str(identity)[:64])
    return stored


def _own(call: Call) -> StoredFile:
    return file_of(call, call.request.path_params["file"])


async def list_files(call: Call) -> Response:
    """The files, of one purpose or all."""
    await call.fail_on_purpose()
    purpose = call.request.query_params.get("purpose")
    files = call.namespace.shelf.files.values()
    return page(call, [one.to_json() for one in files if purpose in {None, one.purpose}])


async def get_file(call: Call) -> Response:
    """What is known of a file."""
    await call.fail_on_purpose()
    return json_response(_own(call).to_json())


async def get_content(call: Call) -> Response:
    """The bytes of a file."""
    await call.fail_on_purpose()
    return Response(_own(call).content, media_type="application/octet-stream")


async def delete_file(call: Call) -> Response:
    """Forget a file, in every vector store as well."""
    await call.fail_on_purpose()
    stored = _own(call)
    del call.namespace.shelf.files[stored.identity]
    for store in call.namespace.shelf.stores.values():
        store.files.pop(stored.identity, None)
    return json_response({"id": stored.identity, "object": "file", "deleted": True})
