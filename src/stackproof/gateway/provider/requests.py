"""A request as it is recorded and matched: what matters of it, without secrets.

Compared are method, path, query and body. Fields that say who asks or how the provider should keep
the answer are left out of the comparison; further ones can be named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stackproof.gateway.call import Call
from stackproof.gateway.encoding import from_bytes
from stackproof.gateway.provider.masking import Masker

IGNORED = frozenset({
    "metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier",
    "store", "user",
})  # fmt: skip
"""Fields of a body that are not compared."""


@dataclass(frozen=True)
class RecordedRequest:
    """A request without secrets.

    Attributes:
        method: HTTP method.
        path: Path, from `/v1` on, with its query.
        body: The body as a value; of a body that is no JSON, its SHA-256.
    """

    method: str
    path: str
    body: Any = None

    def key(self, ignored: Iterable[str] = ()) -> str:
        """What makes two requests the same."""
        body = self.body
        if isinstance(body, dict):
            left_out = {*IGNORED, *ignored}
            body = {name: one for name, one in body.items() if name not in left_out}
        text = json.dumps([self.method, self.path, body], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def model(self) -> str:
        """The model that is asked for; empty where there is none."""
        found = self.body.get("model") if isinstance(self.body, dict) else None
        return found if isinstance(found, str) else ""

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
    query = call.request.url.query
    path = call.entry.path + (f"?{query}" if query else "")
    body: Any = None
    if call.data:
        try:
            body = from_bytes(call.data)
        except (ValueError, RecursionError):
            body = None
    kept = masker.value(body) if body is not None else _digest(call)
    recorded = RecordedRequest(call.request.method, masker.text(path), kept)
    return Incoming(recorded, body if isinstance(body, dict) else None, call.data)


def _digest(call: Call) -> str | None:
    """What stands for a body that is no JSON: its digest, whatever the boundary of its parts is."""
    if not call.data:
        return None
    kind = call.request.headers.get("content-type", "")
    _, _, boundary = kind.partition("boundary=")
    data = call.data.replace(boundary.strip('"').encode(), b"") if boundary else call.data
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
