"""The files of a namespace: uploaded, listed, read and deleted.

Source: OpenAI API reference, "Files".
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.contents import Download
from stackproof_gateway.errors import ProviderError, bad_type, bad_value, missing, not_found
from stackproof_gateway.forms import Form, read_form
from stackproof_gateway.listing import json_response, page
from stackproof_gateway.requests import check_count, whole_number
from stackproof_gateway.shelf import StoredFile

LEAST_SECONDS, MOST_SECONDS = 3600, 2592000
PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")


async def upload(call: Call) -> Response:
    """Keep a file."""
    await call.fail_on_purpose()
    form = await read_form(call)
    file = form.file("file")
    purpose, seconds = check_purpose(form.text("purpose")), _expiry(form)
    if purpose == "batch":
        seconds = MOST_SECONDS if seconds is None else seconds
        if not file.name.endswith(".jsonl"):
            raise ProviderError(400, "Invalid file format for Batch API. Must be .jsonl")
    expires = None if seconds is None else call.created + seconds
    identity = call.namespace.next_id("file-")
    stored = StoredFile(identity, file.name, purpose, file.contents, call.created, expires)
    call.namespace.shelf.files[identity] = stored
    call.entry.reply = f"{identity} {ascii(file.name)[1:-1]}"
    return json_response(stored.to_json())


def check_purpose(purpose: Any) -> str:
    """What a file is for.

    Raises:
        ProviderError: If it is missing, or nothing that the provider knows.
    """
    if purpose is None:
        raise missing("purpose")
    if not isinstance(purpose, str) or purpose not in PURPOSES:
        found = f"{str(purpose)[:40]!r}"
        raise bad_value("purpose", f"{found} is not one of {list(PURPOSES)} - 'purpose'")
    return purpose


def _expiry(form: Form) -> int | None:
    """Seconds after which a file is there no more."""
    anchor = form.text("expires_after[anchor]")
    seconds = form.text("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    return check_expiry({"anchor": anchor, "seconds": seconds and int_or(seconds)})


def int_or(text: str) -> int | str:
    """A whole number of a form; the text itself where it is none."""
    number = whole_number(text)
    return text if number is None else number


def check_expiry(given: Any, param: str = "expires_after") -> int:
    """The seconds of `{anchor, seconds}`.

    Raises:
        ProviderError: If it is not that, or they are out of the provider's range.
    """
    if not isinstance(given, dict):
        raise bad_type(param, "an object", given)
    if given.get("anchor") != "created_at":
        raise bad_value(f"{param}.anchor", f"Invalid value: {str(given.get('anchor'))[:40]!r}. "
                        "Supported values are: 'created_at'.")  # fmt: skip
    name = f"{param}.seconds"
    found = check_count({name: given.get("seconds")}, name, MOST_SECONDS, lowest=LEAST_SECONDS)
    if found is None:
        raise missing(name)
    return found


def file_of(call: Call, identity: Any) -> StoredFile:
    """A file of the call's namespace.

    Raises:
        ProviderError: If there is none.
    """
    stored = call.namespace.shelf.file(identity, call.created)
    if stored is None:
        raise not_found("File", str(identity)[:64])
    return stored


def _own(call: Call) -> StoredFile:
    return file_of(call, call.request.path_params["file"])


async def list_files(call: Call) -> Response:
    """The files, of one purpose or all."""
    await call.fail_on_purpose()
    purpose = call.request.query_params.get("purpose")
    files = call.namespace.shelf.files_at(call.created)
    return page(call, [file.to_json() for file in files if purpose in {None, file.purpose}])


async def get_file(call: Call) -> Response:
    """What is known of a file."""
    await call.fail_on_purpose()
    return json_response(_own(call).to_json())


async def get_content(call: Call) -> Response:
    """The bytes of a file."""
    await call.fail_on_purpose()
    return Download(_own(call).contents)


async def delete_file(call: Call) -> Response:
    """Forget a file, in every vector store as well."""
    await call.fail_on_purpose()
    stored = _own(call)
    del call.namespace.shelf.files[stored.identity]
    for store in call.namespace.shelf.stores.values():
        store.files.pop(stored.identity, None)
    return json_response({"id": stored.identity, "object": "file", "deleted": True})
