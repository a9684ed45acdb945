"""The named steps of a run, with their times and how each one ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Step:
    """One step of a run.

    Attributes:
        name: Its name.
        started: Seconds since the run began.
        seconds: How long it took; None while it goes on.
        outcome: `running`, `passed`, `failed` or `interrupted`.
    """

    name: str
    started: float
    seconds: float | None = None
    outcome: str = "running"


@dataclass
class Timeline:
    """Records steps in the order in which they begin.

    Attributes:
        now: Monotonic seconds.
        steps: What was recorded.
    """

    now: Callable[[], float] = time.monotonic
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began = self.now()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Record what happens inside as one step; its failure goes on to the caller."""
        step = Step(name, self.now() - self._began)
        self.steps.append(step)
        try:
            yield step
        except Exception:
            step.outcome = "failed"
            raise
        except BaseException:
            step.outcome = "interrupted"
            raise
        else:
            if step.outcome == "running":
                step.outcome = "passed"
        finally:
            step.seconds = self.now() - self._began - step.started

    def table(self) -> list[str]:
        """The steps as lines of a table."""
        width = max((len(step.name) for step in self.steps), default=0)
        lines = [
            f"  {step.name:<{width}}  {step.seconds or 0.0:7.2f} s  {step.outcome}"
            for step in self.steps
        ]
        total = sum(step.seconds or 0.0 for step in self.steps)
        return [*lines, f"  {'total':<{width}}  {total:7.2f} s"]

    def to_json(self) -> list[dict[str, object]]:
        """The steps as plain values."""
        return [vars(step) for step in self.steps]
