"""The bodies of requests, as they come in: in memory, or on the disk where they are forms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import IO

from starlette.requests import ClientDisconnect, Request

from stackproof_gateway.contents import spool

MEBIBYTE = 1024 * 1024
LARGEST_BODY = 20 * MEBIBYTE
LARGEST_FILE = 512 * MEBIBYTE
LARGEST_FORM = LARGEST_FILE + LARGEST_BODY
"""A file, and all fields around it."""

BEGINNING = 21_000
"""Bytes of a form that are kept in memory: those that the journal shows, and a little more, so that
no secret is cut before it is masked."""


@dataclass
class Body:
    """A body.

    Attributes:
        data: Its bytes; of a form only the first ones.
        form: All bytes of a form; None where it is none.
        digest: Names its content, where it is a form.
        too_large: Whether it was too long; then it is not all there.
    """

    data: bytes
    form: IO[bytes] | None = None
    digest: str = ""
    too_large: bool = False


async def read_body(request: Request) -> Body:
    """Read a body into memory; the rest of one that is too large is dropped.

    Raises:
        ClientDisconnect: If the client goes meanwhile.
    """
    first = await request.receive()
    if first["type"] == "http.disconnect":
        raise ClientDisconnect
    chunk: bytes = first.get("body", b"")
    if not first.get("more_body"):
        return Body(chunk, too_large=len(chunk) > LARGEST_BODY)
    chunks, size = [chunk], len(chunk)
    async for chunk in request.stream():
        size += len(chunk)
        if size <= LARGEST_BODY:
            chunks.append(chunk)
    return Body(b"".join(chunks), too_large=size > LARGEST_BODY)


def is_form(request: Request) -> bool:
    """Whether a request is a form with files."""
    for name, value in request.scope["headers"]:
        if name == b"content-type" and value[:19].lower() == b"multipart/form-data":
            return True
    return False


async def read_form_body(request: Request) -> Body:
    """Read the body of a form to the disk; the rest of one that is too large is dropped.

    Raises:
        ClientDisconnect: If the client goes meanwhile.
    """
    file, digest = spool(), hashlib.sha256(request.url.path.encode() + b"\0")
    beginning, size = b"", 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_FORM:
            continue
        beginning += chunk[: BEGINNING - len(beginning)]
        digest.update(chunk)
        file.write(chunk)
    return Body(beginning, file, digest.hexdigest(), size > LARGEST_FORM)
