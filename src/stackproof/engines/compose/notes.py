"""What is remembered of a run's containers beside what Docker knows: which were seen ready."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from stackproof.reaper.ownership import write_file


@dataclass(frozen=True)
class Notes:
    """A file in the run folder.

    Attributes:
        file: The file.
    """

    file: Path

    def _read(self) -> dict[str, dict[str, object]]:
        try:
            value: dict[str, dict[str, object]] = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return value

    def _put(self, service: str, note: dict[str, object]) -> None:
        text = json.dumps({**self._read(), service: note})
        write_file(str(self.file.parent), self.file.name, text.encode())

    def ready(self, service: str, started_at: str, seconds: float) -> None:
        """Note that a service was seen ready.

        Args:
            service: Its name.
            started_at: When its container was started, in Docker's words.
            seconds: How long it took.
        """
        self._put(service, {"started_at": started_at, "seconds": seconds})

    def stopped(self, service: str) -> None:
        """Note that a service was stopped on purpose."""
        self._put(service, {"stopped": True})

    def seconds_to_ready(self, service: str, started_at: str) -> float | None:
        """How long a service took to be ready; None if this start of it was not seen ready."""
        note = self._read().get(service, {})
        if note.get("started_at") != started_at:
            return None
        return float(str(note["seconds"]))

    def is_stopped(self, service: str) -> bool:
        """Whether it was stopped on purpose."""
        return bool(self._read().get(service, {}).get("stopped"))
