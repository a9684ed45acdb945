"""Files that are uploaded in parts, and put together at the end.

Source: OpenAI API reference, "Uploads": parts of at most 64 MB, 8 GB in all, one hour. No report of
the provider confirms the texts of the refusals.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from stackproof_gateway.bodies import MEBIBYTE
from stackproof_gateway.call import Call
from stackproof_gateway.contents import Contents
from stackproof_gateway.errors import ProviderError, bad_type, missing, not_found
from stackproof_gateway.files import check_expiry, check_purpose
from stackproof_gateway.forms import read_form
from stackproof_gateway.listing import json_response
from stackproof_gateway.requests import check_count, parse_body, required_list
from stackproof_gateway.shelf import StoredFile

LARGEST_PART = 64 * MEBIBYTE
LARGEST_UPLOAD = 8 * 1024 * MEBIBYTE
LASTS = 3600


@dataclass
class Upload:
    """A file that is uploaded in parts.

    Attributes:
        fields: What the API tells of it.
        lasts: Seconds that its file is to be kept; None for always.
        parts: Its parts by id.
        file: The file that came of it.
    """

    fields: dict[str, Any]
    lasts: int | None = None
    parts: dict[str, Contents] = field(default_factory=dict)
    file: StoredFile | None = None

    def to_json(self) -> dict[str, Any]:
        """The upload object of the API."""
        return {**self.fields, "file": self.file.to_json() if self.file else None}


async def create_upload(call: Call) -> Response:
    """Begin an upload."""
    await call.fail_on_purpose()
    body = parse_body(call.data)
    for name in ("filename", "mime_type"):
        if body.get(name) is None:
            raise missing(name)
        if not isinstance(body[name], str):
            raise bad_type(name, "a string", body[name])
    size = check_count(body, "bytes", LARGEST_UPLOAD)
    if size is None:
        raise missing("bytes")
    expiry = body.get("expires_after")
    identity = call.namespace.next_id("upload_")
    upload = Upload(
        {
            "id": identity,
            "object": "upload",
            "bytes": size,
            "created_at": call.created,
            "filename": body["filename"],
            "purpose": check_purpose(body.get("purpose")),
            "status": "pending",
            "expires_at": call.created + LASTS,
        },
        None if expiry is None else check_expiry(expiry),
    )
    call.namespace.shelf.uploads[identity] = upload
    return json_response(upload.to_json())


def _pending(call: Call) -> Upload:
    """The upload of a request's path.

    Raises:
        ProviderError: If there is none, or it is over.
    """
    identity = call.request.path_params["upload"]
    found: Upload | None = call.namespace.shelf.uploads.get(identity)
    if found is None:
        raise not_found("Upload", identity)
    if found.fields["status"] == "pending" and call.created >= found.fields["expires_at"]:
        found.fields["status"] = "expired"
        found.parts.clear()
    if found.fields["status"] != "pending":
        message = f"Upload {identity} has status '{found.fields['status']}', not 'pending'."
        raise ProviderError(400, message)
    return found


async def add_part(call: Call) -> Response:
    """Add a part."""
    await call.fail_on_purpose()
    upload = _pending(call)
    contents = (await read_form(call)).file("data", LARGEST_PART).contents
    identity = call.namespace.next_id("part_")
    upload.parts[identity] = contents
    return json_response({
        "id": identity, "object": "upload.part", "created_at": call.created,
        "upload_id": upload.fields["id"],
    })  # fmt: skip


async def complete_upload(call: Call) -> Response:
    """Put the parts together, in the order that the request names; the upload becomes a file."""
    await call.fail_on_purpose()
    upload, body = _pending(call), parse_body(call.data)
    parts = [_part(upload, identity) for identity in required_list(body, "part_ids")]
    size, told = sum(part.size for part in parts), upload.fields["bytes"]
    if size != told:
        message = f"The parts have {size} bytes, but the upload was created for {told} bytes."
        raise ProviderError(400, message, param="part_ids")
    contents = Contents.joined(parts)
    _check_md5(body.get("md5"), contents)
    identity = call.namespace.next_id("file-")
    expires = None if upload.lasts is None else call.created + upload.lasts
    name, purpose = upload.fields["filename"], upload.fields["purpose"]
    upload.file = StoredFile(identity, name, purpose, contents, call.created, expires)
    call.namespace.shelf.files[identity] = upload.file
    return _over(upload, "completed")


def _part(upload: Upload, identity: Any) -> Contents:
    found = upload.parts.get(identity) if isinstance(identity, str) else None
    if found is None:
        raise not_found("UploadPart", str(identity)[:64])
    return found


def _check_md5(told: Any, contents: Contents) -> None:
    if told is None:
        return
    digest = hashlib.md5(usedforsecurity=False)
    for piece in contents.pieces():
        digest.update(piece)
    if told != digest.hexdigest():
        message = f"The file has the MD5 {digest.hexdigest()}, but the request says {told!r:.40}."
        raise ProviderError(400, message, param="md5")


async def cancel_upload(call: Call) -> Response:
    """Give an upload up."""
    await call.fail_on_purpose()
    return _over(_pending(call), "cancelled")


def _over(upload: Upload, status: str) -> Response:
    upload.fields["status"] = status
    upload.parts.clear()
    return json_response(upload.to_json())


_UPLOAD = "/uploads/{upload}"
ENDPOINTS = (
    ("POST", "/uploads", create_upload),
    ("POST", f"{_UPLOAD}/parts", add_part),
    ("POST", f"{_UPLOAD}/complete", complete_upload),
    ("POST", f"{_UPLOAD}/cancel", cancel_upload),
)
