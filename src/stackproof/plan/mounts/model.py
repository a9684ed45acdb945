"""One mount from outside the run, and what the run makes of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from stackproof.errors import ConfigError

Action = Literal["keep", "share", "copy", "fresh"]
Fallback = Literal["share", "read_only", "refuse"]


@dataclass(frozen=True)
class PlannedMount:
    """A mount whose source is not the run's own.

    Attributes:
        target: Its path in the container.
        kind: `bind`, or `volume` for one of Docker that this run has not made.
        source: Absolute path, or the volume's name in Docker.
        action: `keep` (read-only), `share` (written to as it is), `copy` (a private copy), `fresh`
            (an empty place of the run).
        otherwise: What a copy becomes where it can't be had.
        read_only: Whether the service can't write to it.
        is_file: Whether the source is a single file.
        is_data: Whether a server keeps its data there.
        is_secret: Whether what it says must never be shown.
        written: The source as the stack file has it.
        where: File and line.
        asked: The setting that has decided; empty for none.
    """

    target: str
    kind: Literal["bind", "volume"]
    source: str
    action: Action
    otherwise: Fallback = "refuse"
    read_only: bool = False
    is_file: bool = False
    is_data: bool = False
    is_secret: bool = False
    written: str = ""
    where: str = ""
    asked: str = ""

    @property
    def key(self) -> str:
        """Name of the run's own place for this source, the same for all services."""
        digest = hashlib.sha256(f"{self.kind} {self.source}".encode()).hexdigest()[:12]
        return f"{self.action}-{digest}"

    @property
    def label(self) -> str:
        """The mount in words: source as written, target and place."""
        place = f" ({self.where})" if self.where else ""
        return f"{self.written or self.source} at {self.target}{place}"


class UndecidedMount(ConfigError):
    """A mount that a person has to allow.

    Args:
        mount: What `mounts` of the stack config calls it.
        told: As for `ConfigError`.
    """

    def __init__(self, mount: str, *told: str, **options: Any) -> None:
        super().__init__(*told, **options)
        self.mount = mount
