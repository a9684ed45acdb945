"""What is known of a service that is supervised, and what of it follows."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass


@dataclass
class State:
    """What is known of a service; sent to clients as it is.

    Attributes:
        state: One of waiting, starting, running, restarting, exited, failed, stopped, completed,
            paused.
        health: starting, healthy, unhealthy, or empty where nothing is checked.
        pid: Its process.
        exit_code: Status of its last end.
        restarts: How often its restart policy has started it again.
        waiting_for: What it waits for.
        last_answer: Its probe's last answer; empty after a good one.
        verdict: Why it has failed, in words.
        holder: Who has its port, where that is why it failed.
        port: That port.
        own_port: The port of its container, where it listens there instead of on its port here.
        ready_after: Seconds from its start to ready.
        exits_in_a_row: Ends without having been ready in between.
        asked_for: Seconds that its probe has been asked for.
    """

    state: str = "waiting"
    health: str = ""
    pid: int | None = None
    exit_code: int | None = None
    restarts: int = 0
    waiting_for: str = ""
    last_answer: str = ""
    verdict: str = ""
    holder: str = ""
    port: int = 0
    own_port: int = 0
    ready_after: float | None = None
    exits_in_a_row: int = 0
    asked_for: float = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.state == "completed" or (
            self.state == "running" and self.health in {"", "healthy"}
        )

    def begin(self, pid: int, *, is_checked: bool) -> None:
        """Note that its process runs.

        Args:
            pid: The process.
            is_checked: Whether a probe shows that it is ready; else it is so at once.
        """
        self.pid, self.exit_code = pid, None
        self.health = "starting" if is_checked else ""
        self.ready_after = None if is_checked else 0.0

    def end(self, code: int, verdict: str) -> None:
        """Note that its process has ended."""
        if self.health in {"starting", "unhealthy"}:
            self.exits_in_a_row += 1
        self.pid, self.exit_code = None, code
        self.health, self.verdict = "", verdict


def how_it_ended(code: int, *, memory: int | None = None) -> str:
    """An exit status in words.

    Args:
        code: The status; negative is minus the signal's number.
        memory: The bound in bytes for which it was killed; None where that was not so.
    """
    if memory is not None:
        return f"was killed: out of memory (its limit is {memory / (1 << 20):.0f} MiB)"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"exited with status {code}"
