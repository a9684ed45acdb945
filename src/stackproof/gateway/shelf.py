"""What a namespace keeps for its clients: files, vector stores, stored responses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class StoredFile:
    """An uploaded file.

    Attributes:
        identity: Its id.
        name: Its file name.
        purpose: What it was uploaded for.
        content: Its bytes.
        created: Seconds of the namespace's clock.
    """

    identity: str
    name: str
    purpose: str
    content: bytes
    created: int

    def to_json(self) -> dict[str, Any]:
        """The file object of the API."""
        return {
            "id": self.identity,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "expires_at": None,
            "status_details": None,
        }


@dataclass
class Shelf:
    """Everything that clients have stored in one namespace.

    Attributes:
        files: Files by id.
        stores: Vector stores by id.
        batches: File batches by id.
        responses: Stored responses by id, with the messages that led to them.
    """

    files: dict[str, StoredFile] = field(default_factory=dict)
    stores: dict[str, Any] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    responses: dict[str, Any] = field(default_factory=dict)
