"""The files of a namespace as Anthropic shows them.

Source: Anthropic's SDK 2.14, `FileMetadata` and `FileNotDownloadableError`: what a client has
uploaded can't be downloaded. The texts of the refusals are not confirmed by reports of users.
"""

from __future__ import annotations

import mimetypes
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.forms import Form, read_form
from stackproof_gateway.listing import anthropic_page, json_response, rfc3339
from stackproof_gateway.message_errors import refused
from stackproof_gateway.requests import whole_number
from stackproof_gateway.shelf import StoredFile

PURPOSE = "anthropic"
LEAST_SECONDS, MOST_SECONDS = 3600, 7_776_000


def message_file(call: Call, identity: Any) -> StoredFile:
    """A file of the call's namespace.

    Raises:
        ProviderError: If there is none.
    """
    stored = call.namespace.shelf.file(identity, call.created)
    if stored is None:
        raise ProviderError(404, f"File not found: {str(identity)[:64]}")
    return stored


def _shown(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.identity,
        "type": "file",
        "filename": file.name,
        "mime_type": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
        "size_bytes": file.contents.size,
        "created_at": rfc3339(file.created),
        "downloadable": False,
        "expires_at": rfc3339(file.expires),
    }


def _own(call: Call) -> StoredFile:
    return message_file(call, call.request.path_params["file"])


async def upload(call: Call) -> Response:
    """Keep a file."""
    await call.fail_on_purpose()
    form = await read_form(call)
    file, seconds = form.file("file"), _expiry(form)
    identity = call.namespace.next_id("file_")
    expires = None if seconds is None else call.created + seconds
    stored = StoredFile(identity, file.name, PURPOSE, file.contents, call.created, expires)
    call.namespace.shelf.files[identity] = stored
    call.entry.reply = f"{identity} {ascii(file.name)[1:-1]}"
    return json_response(_shown(stored))


def _expiry(form: Form) -> int | None:
    given = form.text("expires_in_seconds")
    if given is None:
        return None
    seconds = whole_number(given) or 0
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise refused("expires_in_seconds", f"Input should be between {LEAST_SECONDS} and "
                      f"{MOST_SECONDS}")  # fmt: skip
    return seconds


async def list_files(call: Call) -> Response:
    """All files, newest first."""
    await call.fail_on_purpose()
    files = call.namespace.shelf.files_at(call.created)
    return anthropic_page(call, [_shown(file) for file in reversed(files)])


async def get_file(call: Call) -> Response:
    """What is known of a file."""
    await call.fail_on_purpose()
    return json_response(_shown(_own(call)))


async def get_content(call: Call) -> Response:
    """Refuse the bytes of a file, which only those that a tool has made can be asked for."""
    await call.fail_on_purpose()
    raise ProviderError(400, f"File {_own(call).identity} is not downloadable.",
                        details={"error_code": "file_not_downloadable"})  # fmt: skip


async def delete_file(call: Call) -> Response:
    """Forget a file."""
    await call.fail_on_purpose()
    stored = _own(call)
    del call.namespace.shelf.files[stored.identity]
    return json_response({"id": stored.identity, "type": "file_deleted"})
