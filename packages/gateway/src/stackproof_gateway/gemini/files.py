"""Gemini's files: listed, shown, deleted, and named in contents.

Source: Gemini API reference, "Files": kept for 48 hours; a film is processed before it can be used,
here for as long as one call takes. The texts are those that users of the API report.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.contents import Contents
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.gemini.answers import moment
from stackproof_gateway.gemini.contents import Content, broken
from stackproof_gateway.listing import json_response
from stackproof_gateway.requests import whole_number

LASTS = 48 * 3600
PROCESSED_IN = 2
"""Seconds of the namespace's clock, which each call moves on by one."""

LARGEST_PAGE, USUAL_PAGE = 100, 10
NAME = re.compile(r"files/[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_OWN = re.compile(r"(?:https?://[^?#]*/v1(?:beta)?/)?(files/[^/?#]+)")


@dataclass(frozen=True)
class File:
    """A file.

    Attributes:
        name: Its name, with `files/` before it.
        uri: Its address.
        kind: Its media type.
        shown: What it is called; empty if it was not said.
        contents: Its bytes.
        created: Seconds of the namespace's clock.
    """

    name: str
    uri: str
    kind: str
    shown: str
    contents: Contents
    created: int

    def state(self, now: int) -> str:
        """`PROCESSING` or `ACTIVE`."""
        waits = self.kind.startswith("video/") and now < self.created + PROCESSED_IN
        return "PROCESSING" if waits else "ACTIVE"

    def to_json(self, now: int) -> dict[str, Any]:
        """The file as the API shows it; its hash is that of the hexadecimal digits."""
        digest = hashlib.sha256()
        for piece in self.contents.pieces():
            digest.update(piece)
        made = moment(self.created)
        return {
            "name": self.name,
            **({"displayName": self.shown} if self.shown else {}),
            "mimeType": self.kind,
            "sizeBytes": str(self.contents.size),
            "createTime": made,
            "updateTime": made,
            "expirationTime": moment(self.created + LASTS),
            "sha256Hash": base64.b64encode(digest.hexdigest().encode()).decode(),
            "uri": self.uri,
            "state": self.state(now),
            "source": "UPLOADED",
        }


def address(call: Call, path: str, door: str = "") -> str:
    """An address in the namespace of a call; it says which one that is by itself.

    Args:
        call: The call.
        path: Path from the version on.
        door: What stands before the namespace.
    """
    url = call.request.url
    return f"{url.scheme}://{call.headers['host']}{door}/t/{call.namespace.name}{path}"


def file_of(call: Call, name: str) -> File:
    """A file of the call's namespace.

    Raises:
        ProviderError: If there is none, or it is there no more.
    """
    found: File | None = call.namespace.shelf.gemini_files.get(name)
    if found is None or call.created >= found.created + LASTS:
        raise ProviderError(403, "You do not have permission to access the File "
                            f"{name.removeprefix('files/')[:64]} or it may not exist.")  # fmt: skip
    return found


def check_files(call: Call, contents: list[Content]) -> None:
    """Refuse contents that name a file which is not there, or not ready.

    Raises:
        ProviderError: With the provider's text.
    """
    for content in contents:
        for part in content["parts"]:
            named = _OWN.fullmatch(part.get("fileData", {}).get("fileUri", ""))
            file = file_of(call, named[1]) if named else None
            if file is not None and file.state(call.created) != "ACTIVE":
                raise ProviderError(
                    400,
                    f"The File {file.name.removeprefix('files/')} is not in an ACTIVE state and "
                    "usage is not allowed.",
                    code="FAILED_PRECONDITION",
                )


def _named(call: Call) -> File:
    return file_of(call, f"files/{call.request.path_params['file']}")


async def get_file(call: Call) -> Response:
    """What is known of a file."""
    await call.fail_on_purpose()
    return json_response(_named(call).to_json(call.created))


async def delete_file(call: Call) -> Response:
    """Forget a file."""
    await call.fail_on_purpose()
    del call.namespace.shelf.gemini_files[_named(call).name]
    return json_response({})


async def list_files(call: Call) -> Response:
    """The files, newest first, in pages."""
    await call.fail_on_purpose()
    query = call.request.query_params
    size, begin = _number(query.get("pageSize", "0")), _number(query.get("pageToken", "0"))
    if size > LARGEST_PAGE:
        raise broken("ListFilesRequest.page_size", f"must be at most {LARGEST_PAGE}")
    files: list[File] = list(call.namespace.shelf.gemini_files.values())
    there = [file.to_json(call.created) for file in reversed(files)
             if call.created < file.created + LASTS]  # fmt: skip
    end = begin + (size or USUAL_PAGE)
    further = {"nextPageToken": str(end)} if end < len(there) else {}
    return json_response({**({"files": there[begin:end]} if there else {}), **further})


def _number(text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise broken("ListFilesRequest", "page_size and page_token must be those of a list")
    return number
