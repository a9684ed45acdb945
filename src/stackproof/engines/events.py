"""What has happened to services while they ran: ends, starts, changes of health, freezes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["ended", "started", "healthy", "unhealthy", "paused", "unpaused", "stopped"]


@dataclass(frozen=True)
class ServiceEvent:
    """Something that has happened to a service.

    Attributes:
        at: Wall clock, UTC, ISO 8601 with microseconds and a final Z.
        service: Its name.
        kind: What kind of thing.
        detail: How it ended or what its probe was answered, in words; may be empty.
    """

    at: str
    service: str
    kind: Kind
    detail: str = ""

    def __str__(self) -> str:
        if self.kind == "ended":
            return self.detail or "ended"
        return f"{self.kind}: {self.detail}" if self.detail else self.kind
