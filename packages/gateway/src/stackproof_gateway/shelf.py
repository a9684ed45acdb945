"""What a namespace keeps for its clients: files, vector stores, stored responses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stackproof_gateway.contents import Contents


@dataclass
class StoredFile:
    """An uploaded file.

    Attributes:
        identity: Its id.
        name: Its file name.
        purpose: What it was uploaded for.
        contents: Its bytes.
        created: Seconds of the namespace's clock.
        expires: When it is there no more, by the same clock; None if it stays.
    """

    identity: str
    name: str
    purpose: str
    contents: Contents
    created: int
    expires: int | None = None

    def is_over(self, now: int) -> bool:
        """Whether it is there no more."""
        return self.expires is not None and now >= self.expires

    def to_json(self) -> dict[str, Any]:
        """The file object of the API."""
        return {
            "id": self.identity,
            "object": "file",
            "bytes": self.contents.size,
            "created_at": self.created,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "expires_at": self.expires,
            "status_details": None,
        }


@dataclass
class Shelf:
    """Everything that clients have stored in one namespace.

    Attributes:
        files: Files by id.
        stores: Vector stores by id.
        batches: File batches by id.
        thoughts: What the model thought before it used a tool, sealed, by the id of the use.
        message_batches: Batches of requests to Anthropic by id.
        responses: Stored responses by id, with the messages that led to them.
        request_batches: Batches of requests, by id.
        pictures: Images that have an address, by its last part.
        uploads: Uploads in parts, by id.
        conversations: Conversations by id, with their items.
        chats: Stored chat completions by id, with their messages.
        deleted_models: Names of fine-tuned models that are there no more.
        gemini_files: Files of Gemini by name.
        gemini_uploads: Uploads of Gemini by id; where the provider takes them, their addresses.
        slow_reads: How often a new file of a vector store is said to be in progress.
        works: Requests that were handed in for later, and are answered meanwhile.
    """

    files: dict[str, StoredFile] = field(default_factory=dict)
    stores: dict[str, Any] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    thoughts: dict[str, list[str]] = field(default_factory=dict)
    message_batches: dict[str, Any] = field(default_factory=dict)
    responses: dict[str, Any] = field(default_factory=dict)
    request_batches: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, Any] = field(default_factory=dict)
    conversations: dict[str, Any] = field(default_factory=dict)
    chats: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted_models: set[str] = field(default_factory=set)
    gemini_files: dict[str, Any] = field(default_factory=dict)
    gemini_uploads: dict[str, Any] = field(default_factory=dict)
    works: list[Any] = field(default_factory=list)
    slow_reads: int = 0

    def file(self, identity: Any, now: int) -> StoredFile | None:
        """The file of an id; None if there is none, or it has expired.

        Args:
            identity: What a request says.
            now: Seconds of the namespace's clock.
        """
        found = self.files.get(identity) if isinstance(identity, str) else None
        return None if found is None or found.is_over(now) else found

    def files_at(self, now: int) -> list[StoredFile]:
        """The files that have not expired, oldest first.

        Args:
            now: Seconds of the namespace's clock.
        """
        return [file for file in self.files.values() if not file.is_over(now)]

    def take_back(self) -> None:
        """Answer nothing more of what was handed in for later."""
        for work in self.works:
            work.take_back()
