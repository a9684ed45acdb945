"""The services that a plan is about, before it is known on which ports: made once for a reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from stackproof.plan.addressing.container_ports import (
    HostPort,
    PortKey,
    container_ports,
    fixed_ports,
    refuse_unknown_services,
)
from stackproof.plan.services.dockerignore import hidden_paths
from stackproof.plan.services.drafts import (
    Draft,
    make_draft,
    refuse_unknown_images,
    with_shared_builds,
)
from stackproof.settings.model import Settings
from stackproof.stack_file import select_services, start_order
from stackproof.stack_file.model import Build, StackFile


class HiddenPaths:
    """The paths of build contexts that no COPY sees: each context is walked once for a reading."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], tuple[str, ...]] = {}

    def __call__(self, build: Build) -> tuple[str, ...]:
        """Those of one build context."""
        key = build.context, build.dockerfile
        if key not in self._known:
            self._known[key] = hidden_paths(build)
        return self._known[key]


@dataclass(frozen=True)
class Outline:
    """The selected services in start order, with their container ports and fixed host ports."""

    drafts: tuple[Draft, ...]
    targets: Mapping[str, tuple[int, ...]]
    fixed: Mapping[PortKey, HostPort]
    hidden: HiddenPaths = field(default_factory=HiddenPaths, compare=False)


class _Reading:
    """Settings and stack file as they were read once; another reading is another value."""

    def __init__(self, settings: Settings, stack_file: StackFile) -> None:
        self.settings = settings
        self.stack_file = stack_file

    def __hash__(self) -> int:
        return hash((id(self.settings), id(self.stack_file)))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Reading)
            and other.settings is self.settings
            and other.stack_file is self.stack_file
        )


def outline_of(
    settings: Settings, stack_file: StackFile, engine: str, services: Sequence[str]
) -> Outline:
    """The outline of a stack; its Dockerfiles and requirement files are read once for a reading.

    Args:
        settings: The settings.
        stack_file: The stack file.
        engine: `process` or `compose`.
        services: Only these and what they depend on; none named: all of the active profiles.

    Raises:
        ConfigError: If the stack can't be planned.
    """
    return _outline(_Reading(settings, stack_file), engine, tuple(services))


@lru_cache(maxsize=16)
def _outline(reading: _Reading, engine: str, services: tuple[str, ...]) -> Outline:
    settings, stack_file = reading.settings, reading.stack_file
    refuse_unknown_services(settings, list(stack_file.services))
    selected = select_services(stack_file, settings.profiles, services)
    ordered = [selected[name] for name in start_order(selected)]
    if engine == "process":
        ordered = with_shared_builds(stack_file, ordered)
        refuse_unknown_images(settings, stack_file, ordered)
    drafts = tuple(make_draft(settings, stack_file, service, engine) for service in ordered)
    targets = container_ports(settings, drafts)
    return Outline(drafts, targets, fixed_ports(settings, stack_file, drafts, targets))
