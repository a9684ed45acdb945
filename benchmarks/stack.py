"""A copy of the reference stack for measuring, and its services each by itself."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stackproof import lifecycle
from stackproof.plan.model import Plan
from stackproof.stack.running import Stack

ROOT = Path(__file__).parent.parent
SILENT = lambda _: None  # noqa: E731 - takes a line and drops it


@contextmanager
def state_folder() -> Iterator[str]:
    """A state root that servers which do not run as root can pass through."""
    with tempfile.TemporaryDirectory(prefix="stackproof-bench-") as folder:
        Path(folder).chmod(0o755)
        yield f"{folder}/state"


def resolved(state: str) -> lifecycle.ResolvedStack:
    """The reference stack under a fresh name, on free ports, without coverage."""
    environment = {**os.environ, "STACKPROOF_STATE_DIR": state}
    made = lifecycle.resolve(lifecycle.StackRequest(ROOT, environment, suite="integration"))
    return replace(made, settings=replace(made.settings, coverage=False))


@dataclass(frozen=True)
class Alone:
    """Seconds that a service takes while all others are up: to be ready, and to end."""

    start: float
    stop: float


def alone(stack: Stack) -> dict[str, Alone]:
    """Each service of a stack stopped and started by itself, one after the other."""
    found = {}
    for service in stack.plan.services:
        handle = stack.service(service.name)
        began = time.monotonic()
        handle.stop()
        stopped = time.monotonic()
        handle.start()
        found[service.name] = Alone(time.monotonic() - stopped, stopped - began)
    return found


def longest_chain(plan: Plan, seconds: dict[str, Alone]) -> float:
    """The largest sum of start times along dependencies."""

    def total(name: str) -> float:
        below = [total(other) for other in plan.service(name).depends_on if other in seconds]
        return seconds[name].start + max(below, default=0.0)

    return max(total(name) for name in seconds)
