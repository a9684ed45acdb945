"""Uploads of files to Gemini, in pieces that can be resumed.

Source: Gemini API guide "Files API", and the requests of google-genai 3.6: `start` gives an
address, whose id stands for the key; `upload` sends pieces there, and `finalize` makes the file of
them. No report confirms the texts of the refusals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from stackproof_gateway.bodies import MEBIBYTE
from stackproof_gateway.call import Call
from stackproof_gateway.contents import Contents
from stackproof_gateway.encoding import to_bytes
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.gemini.fields import read
from stackproof_gateway.gemini.files import NAME, File, address
from stackproof_gateway.requests import parse_body

LARGEST = 2048 * MEBIBYTE
PIECES_OF = 256 * 1024
"""Bytes of which the sizes of all pieces but the last are multiples."""


@dataclass
class Upload:
    """A file that is on its way.

    Attributes:
        asked: What was said of it at the beginning.
        size: How long it is to be; None if that was not said.
        contents: What has come of it so far.
    """

    asked: dict[str, Any]
    size: int | None
    contents: Contents = field(default_factory=Contents)


async def upload(call: Call) -> Response:
    """Begin an upload, take a piece of it, or make a file of it."""
    await call.fail_on_purpose()
    words = {word.strip() for word in call.headers.get("x-goog-upload-command", "").split(",")}
    identity = call.upload
    if identity is None:
        if "start" not in words:
            raise _refused("An upload begins with the headers X-Goog-Upload-Protocol: resumable "
                           "and X-Goog-Upload-Command: start.")  # fmt: skip
        return _begun(call)
    found: Upload | None = call.namespace.shelf.gemini_uploads.get(identity)
    if found is None:
        raise ProviderError(
            404, "This upload is not there, or has ended.", headers=_status("final")
        )
    if "cancel" in words:
        del call.namespace.shelf.gemini_uploads[identity]
        return _answer({}, "cancelled")
    if "upload" in words:
        _take(call, found)
    if "finalize" not in words:
        return _answer({}, "active", **{"x-goog-upload-size-received": str(found.contents.size)})
    return _finished(call, identity, found)


def _begun(call: Call) -> Response:
    body = parse_body(call.data) if call.data else {}
    asked = read("CreateFileRequest", body).get("file") or {}
    name = asked.get("name")
    if name and not NAME.fullmatch(name):
        raise _refused(f"{name[:64]} is no name of a file: files/ and up to 40 small letters, "
                       "digits and dashes.")  # fmt: skip
    if name in call.namespace.shelf.gemini_files:
        raise ProviderError(409, f"File {name} already exists.", headers=_status("final"))
    size = call.headers.get("x-goog-upload-header-content-length", "")
    if size and (not size.isdecimal() or len(size) > len(str(LARGEST)) or int(size) > LARGEST):
        raise _refused(f"A file has at most {LARGEST} bytes.")
    kind = call.headers.get("x-goog-upload-header-content-type")
    asked.setdefault("mimeType", kind or "application/octet-stream")
    identity = call.namespace.next_id("gemini-upload-")
    call.namespace.shelf.gemini_uploads[identity] = Upload(asked, int(size) if size else None)
    query = f"upload_id={identity}&upload_protocol=resumable"
    url = address(call, f"{call.entry.path}?{query}")
    return _answer({}, "active", **{
        "x-goog-upload-url": url,
        "x-goog-upload-control-url": url,
        "x-goog-upload-chunk-granularity": str(PIECES_OF),
    })  # fmt: skip


def _take(call: Call, found: Upload) -> None:
    offset, size = call.headers.get("x-goog-upload-offset", "0"), found.contents.size
    if offset != str(size):
        raise _refused(f"The piece begins at {offset[:20]}, but {size} bytes were received.")
    if size + len(call.data) > (LARGEST if found.size is None else found.size):
        raise _refused("There are more bytes than the upload was said to have.")
    found.contents.write(call.data)


def _finished(call: Call, identity: str, found: Upload) -> Response:
    if found.size not in {None, found.contents.size}:
        raise _refused(f"The upload has {found.contents.size} bytes instead of {found.size}.")
    del call.namespace.shelf.gemini_uploads[identity]
    asked = found.asked
    name = asked.get("name") or call.namespace.next_id("files/f-")
    uri = address(call, f"/v1beta/{name}")
    shown = asked.get("displayName", "")
    file = File(name, uri, asked["mimeType"], shown, found.contents, call.created)
    call.namespace.shelf.gemini_files[name] = file
    call.entry.reply = f"{name} {ascii(shown)[1:-1]}"
    return _answer({"file": file.to_json(call.created)}, "final")


def _status(word: str) -> dict[str, str]:
    return {"x-goog-upload-status": word}


def _answer(value: dict[str, Any], status: str, **headers: str) -> Response:
    given = {**_status(status), **headers}
    return Response(to_bytes(value), headers=given, media_type="application/json")


def _refused(message: str) -> ProviderError:
    return ProviderError(400, message, headers=_status("final"))
