"""What the scenarios expect of the revision under test; `expectations.yaml` has the values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("expectations.yaml")


@dataclass(frozen=True)
class States:
    """Names of the states, by what they mean."""

    waiting: str
    working: str
    done: str
    failed: str
    stopped: str

    @property
    def ended(self) -> set[str]:
        """States that nothing leaves by itself."""
        return {self.done, self.failed, self.stopped}


@dataclass(frozen=True)
class Expectations:
    """The values of the file; its comments say what they mean."""

    service: str
    workers: list[str]
    database: str
    protocol: str
    states: States
    tools: dict[str, list[str]]
    profiles: list[str]
    pipeline_version: int
    metadata_file: str
    version_key: str
    worker_refusal: str
    steps: dict[str, str]
    tries: int
    step_text: str
    step_pattern: str
    prompt_pattern: str
    events: dict[str, str]
    claim_event: str
    loss_event: str
    columns: dict[str, list[str]]

    def step(self, number: int) -> str:
        """Name of the nth step, from 1."""
        return list(self.steps)[number - 1]

    def step_at(self, share: float) -> int:
        """Number of the step that is worked on when about this share of them is to be done."""
        return round(len(self.steps) * share)

    def state_after(self, event: str) -> str | None:
        """State of a plan after an event of the audit trail; None where it does not change."""
        meaning = self.events.get(event)
        return None if meaning is None else str(getattr(self.states, meaning, meaning))

    def text_of(self, step: str) -> str:
        """What the last message of a step's model call holds."""
        return self.step_text.format(step=step)


def load() -> Expectations:
    """The expectations of this revision."""
    told: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return Expectations(**{**told, "states": States(**told["states"])})
