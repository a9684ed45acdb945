"""The steps of the pipeline and the profiles of models, as the data files say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "data"
METADATA_FILE = "001-3-planexe_metadata.json"
LONGEST_EXCERPT = 600
"""Characters of an earlier section that a later prompt gets to see."""


@dataclass(frozen=True)
class Step:
    """One model call and the files that it makes.

    Attributes:
        number: From 1.
        name: Short name, unique.
        title: Heading of its section in the report.
        model: Key of the model in a profile.
        tries: How often the call is tried before the plan fails.
        timeout: Seconds that each try gets.
        needs: Names of earlier steps whose sections it builds on.
        instruction: What the model is told to write.
    """

    number: int
    name: str
    title: str
    model: str
    tries: int
    timeout: float
    needs: tuple[str, ...]
    instruction: str

    @property
    def raw_file(self) -> str:
        """The file with the model's whole answer."""
        return f"{self.number + 1:03d}-1-{self.name}_raw.json"

    @property
    def text_file(self) -> str:
        """The file with the section."""
        return f"{self.number + 1:03d}-2-{self.name}.md"

    @property
    def files(self) -> tuple[str, ...]:
        """All its files; the step is done when they are there."""
        return (self.raw_file, self.text_file)


@dataclass(frozen=True)
class Pipeline:
    """All steps in their order.

    Attributes:
        version: Version of the files that the steps leave.
        system: What every model is told first.
        steps: The steps.
    """

    version: int
    system: str
    steps: tuple[Step, ...]

    @property
    def report_file(self) -> str:
        """The file with the report, after those of all steps."""
        return f"{len(self.steps) + 2:03d}-1-report.html"

    def missing(self, files: set[str]) -> list[Step]:
        """The steps that are not done, given the files that are there."""
        return [step for step in self.steps if not files.issuperset(step.files)]

    def messages(
        self, step: Step, prompt: str, start_date: str, sections: Mapping[str, str]
    ) -> list[dict[str, str]]:
        """What a model is told in a step.

        Args:
            step: The step.
            prompt: The user's prompt.
            start_date: When the plan begins.
            sections: Sections of earlier steps by name.
        """
        earlier = [
            f"## {one.title}\n\n{sections[one.name].strip()[:LONGEST_EXCERPT]}"
            for one in self.steps
            if one.name in step.needs
        ]
        task = f"Step: {step.name}\n{step.instruction}\nStart date: {start_date}\nPrompt: {prompt}"
        return [
            {"role": "system", "content": "\n\n".join([self.system, *earlier])},
            {"role": "user", "content": task},
        ]


@dataclass(frozen=True)
class Model:
    """One model of a profile; the key is what steps call it by."""

    key: str
    provider_class: str
    model: str
    priority: int


@dataclass(frozen=True)
class Profile:
    """A choice of models."""

    name: str
    title: str
    summary: str
    models: tuple[Model, ...]

    def model(self, key: str) -> str:
        """The provider's name of the model for steps that ask for this key."""
        return next(one.model for one in self.models if one.key == key)


@dataclass(frozen=True)
class Profiles:
    """All profiles."""

    default: str
    by_name: Mapping[str, Profile]


@cache
def pipeline() -> Pipeline:
    """The pipeline of this version of the service."""
    told = _read("pipeline.yaml")
    steps = tuple(_step(number, one) for number, one in enumerate(told["steps"], start=1))
    return Pipeline(told["version"], _prompt(told["system"]), steps)


def _step(number: int, told: dict[str, Any]) -> Step:
    return Step(
        number=number,
        name=told["name"],
        title=told["title"],
        model=told["model"],
        tries=told["tries"],
        timeout=told["timeout"],
        needs=tuple(told.get("needs", ())),
        instruction=_prompt(f"{told['name']}.md"),
    )


@cache
def profiles() -> Profiles:
    """The profiles of this version of the service."""
    told = _read("profiles.yaml")
    found = {
        name: Profile(
            name, one["title"], one["summary"], tuple(Model(**model) for model in one["models"])
        )
        for name, one in told["profiles"].items()
    }
    return Profiles(told["default"], found)


def _read(name: str) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DATA / name).read_text())
    return told


def _prompt(name: str) -> str:
    return (DATA / "prompts" / name).read_text().strip()
