"""A request as it is recorded and matched: what matters of it, without secrets.

Compared are method, path, query and body. Fields that say who asks or how the provider should keep
the answer are left out of the comparison; further ones can be named.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import Any

from stackproof_gateway.apis import is_upload, model_in, without_key
from stackproof_gateway.call import Call
from stackproof_gateway.encoding import value_or
from stackproof_gateway.provider.masking import Masker

IGNORED = frozenset({
    "metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier",
    "store", "user",
})  # fmt: skip
"""Fields of a body that are not compared."""

LONGEST_TEXT = 100_000
"""Bytes of a part of a form that are kept as text; a file beyond is known by its digest."""

UPLOAD_HEADERS = ("x-goog-upload-command", "x-goog-upload-header-content-type",
                  "x-goog-upload-offset")  # fmt: skip
"""Headers of uploads to Google that say what the bytes are."""

SIZES = frozenset({"sizeBytes", "size_bytes"})
"""Fields of a file that change with the length of its changing values."""

_NUMBERED_UPLOAD = re.compile(r"(upload-[0-9a-f]{12})-\d+")


@dataclass(frozen=True)
class RecordedRequest:
    """A request without secrets.

    Attributes:
        method: HTTP method.
        path: Path, from `/v1` on, with its query.
        body: The body as a value; of a form the parts, of any other body that is no JSON its
            SHA-256.
        digest: The SHA-256 of a form: it stands for the body in older recordings.
    """

    method: str
    path: str
    body: Any = None
    digest: str | None = field(default=None, compare=False)

    @property
    def as_digest(self) -> RecordedRequest:
        """The request as older recordings have it."""
        return self if self.digest is None else replace(self, body=self.digest)

    def compared(self, ignored: Iterable[str] = ()) -> RecordedRequest:
        """The request without the fields that are not compared."""
        if not isinstance(self.body, dict):
            return self
        left_out = {*IGNORED, *ignored}
        body = {name: value for name, value in self.body.items() if name not in left_out}
        return replace(self, body=body)

    def key(self, ignored: Iterable[str] = ()) -> str:
        """What makes two requests the same."""
        text = json.dumps([self.method, self.path, self.compared(ignored).body], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def model(self) -> str:
        """The model that is asked for; empty where there is none."""
        found = self.body.get("model") if isinstance(self.body, dict) else None
        return model_in(self.path) or (found if isinstance(found, str) else "")

    def to_yaml(self) -> dict[str, Any]:
        """Plain values for a cassette."""
        return {"method": self.method, "path": self.path, "body": self.body}


@dataclass(frozen=True)
class Incoming:
    """A request that came in.

    Attributes:
        recorded: The request without secrets.
        body: The body as it came, as an object; None where it is none.
        data: Its bytes.
    """

    recorded: RecordedRequest
    body: dict[str, Any] | None = None
    data: bytes = field(default=b"", repr=False)


def incoming(call: Call, masker: Masker) -> Incoming:
    """What came in with a call.

    Args:
        call: The call.
        masker: Takes secrets out.
    """
    query = without_key(call.request.url.query)
    path = call.entry.path + (f"?{query}" if query else "")
    if is_upload(call.entry.path):
        return Incoming(_upload(call, path, masker), None, call.data)
    body = value_or(call.data)
    if body is not None:
        recorded = RecordedRequest(call.request.method, masker.text(path), masker.value(body))
    else:
        digest = _digest(call)
        kept = _parts(call, masker) or digest
        recorded = RecordedRequest(call.request.method, masker.text(path), kept, digest)
    return Incoming(recorded, body if isinstance(body, dict) else None, call.data)


def name_of_upload(identity: str) -> str:
    """The id of an upload without its number in the namespace, as it is recorded."""
    numbered = _NUMBERED_UPLOAD.fullmatch(identity)
    return numbered[1] if numbered else identity


def _upload(call: Call, path: str, masker: Masker) -> RecordedRequest:
    """A start of an upload, or a piece, whose bytes are a file's whatever they look like."""
    headers = {
        name: masker.text(call.headers[name]) for name in UPLOAD_HEADERS if name in call.headers
    }
    identity, value = call.upload, value_or(call.data)
    content: Any
    if identity is not None:
        path = f"{call.entry.path}?upload_id={name_of_upload(identity)}"
        content = _kept(call.data, masker)
    elif value is not None:
        content = masker.value(_without_size(value))
    else:
        content = _parts(call, masker) or _digest(call)
    kept = {**headers, "content": content}
    return RecordedRequest(call.request.method, masker.text(path), kept)


def _without_size(value: Any) -> Any:
    """The start of an upload without the size of the file: what the file holds is compared."""
    file = value.get("file") if isinstance(value, dict) else None
    if not isinstance(file, dict):
        return value
    return {**value, "file": {name: file[name] for name in file if name not in SIZES}}


def _digest(call: Call) -> str | None:
    """What stands for a body that is no JSON: its digest, whatever the boundary of its parts is."""
    if not call.data:
        return None
    boundary = _boundary(call)
    return _digest_of(call.data.replace(boundary, b"") if boundary else call.data)


def _digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _boundary(call: Call) -> bytes:
    """What separates the parts of a form; empty if the body is none."""
    head = Message()
    head["content-type"] = call.request.headers.get("content-type", "")
    return (head.get_boundary() or "").encode()


def _parts(call: Call, masker: Masker) -> list[dict[str, str]]:
    """The parts of a form; of one that is long or no text, its digest."""
    boundary = _boundary(call)
    if not boundary:
        return []
    _, *parts = call.data.split(b"--" + boundary)
    return [_part(part, masker) for part in parts if part.strip() not in {b"", b"--"}]


def _part(part: bytes, masker: Masker) -> dict[str, str]:
    head, _, content = part.partition(b"\r\n\r\n")
    return {
        "head": masker.text(head.decode(errors="replace").strip()),
        "content": _kept(content.removesuffix(b"\r\n"), masker),
    }


def _kept(content: bytes, masker: Masker) -> str:
    """The text of a file; of one that is long or no text, its digest."""
    text = content.decode(errors="replace") if len(content) <= LONGEST_TEXT else "\ufffd"
    return _digest_of(content) if "\ufffd" in text else masker.text(text)
