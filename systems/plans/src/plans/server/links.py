"""Download links: they name plan, file and end of their validity, and are signed."""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from plans.settings import settings

ARTIFACTS = {
    "report": ("report.html", "text/html; charset=utf-8"),
    "zip": ("run.zip", "application/zip"),
}
"""Name of the file and content type of each artifact."""


@dataclass(frozen=True)
class Link:
    """Where an artifact is found, for some time.

    Attributes:
        path: Path and query of the link.
        expires_at: When it stops working.
    """

    path: str
    expires_at: datetime


def link_to(plan_id: uuid.UUID, file: str) -> Link:
    """A new link."""
    expires = int(time.time()) + settings().download_lifetime
    token = f"{expires}.{_signature(plan_id, file, expires)}"
    path = f"/download/{plan_id}/{file}?token={token}"
    return Link(path, datetime.fromtimestamp(expires, UTC))


def is_valid(token: str, plan_id: uuid.UUID, file: str) -> bool:
    """Whether a token opens a file now."""
    expires, _, signature = token.partition(".")
    if not expires.isascii() or not expires.isdigit() or int(expires) < time.time():
        return False
    wanted = _signature(plan_id, file, int(expires))
    return hmac.compare_digest(signature.encode(), wanted.encode())


def _signature(plan_id: uuid.UUID, file: str, expires: int) -> str:
    key = settings().download_secret
    if not key:
        raise RuntimeError("DOWNLOAD_SECRET is not set")
    return hmac.new(
        key.encode(), f"{plan_id}/{file}/{expires}".encode(), hashlib.sha256
    ).hexdigest()
