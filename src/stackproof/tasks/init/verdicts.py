"""Which engine runs which service of a stack, and why not: the planner's own refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.plan import make_plan, needed_ports
from stackproof.plan.model import Plan
from stackproof.plan.mounts.model import UndecidedMount
from stackproof.plan.world.model import WorldName
from stackproof.settings import Settings
from stackproof.stack_file.model import Service, StackFile

ENGINES = ("process", "compose")

NOWHERE = Path("/run-of-init")
"""Stands in a plan for the folder of a run that is never started."""


@dataclass(frozen=True)
class Verdict:
    """Where one service runs.

    Attributes:
        service: Name of the service.
        refusals: Why an engine does not run it, each with its remedy; none for one that does.
        profiles: Profiles that switch it on; empty for a service that is always on.
    """

    service: str
    refusals: Mapping[str, tuple[str, ...]]
    profiles: tuple[str, ...] = ()

    def runs_on(self, engine: str) -> bool:
        """Whether an engine runs it."""
        return not self.refusals[engine]


def plan_of(
    settings: Settings, stack_file: StackFile, world: WorldName, services: Sequence[str] = ()
) -> Plan:
    """The plan that the settings lead to, for a run that is never started.

    Raises:
        ConfigError: If there is none.
    """
    engine = settings.engine
    wanted = needed_ports(settings, stack_file, engine=engine, services=services)
    return make_plan(
        settings,
        stack_file,
        engine=engine,
        run_folder=NOWHERE,
        ports=dict.fromkeys(wanted, 0),
        services=services,
        world=world if engine == "process" else "host",
    )


def verdicts(
    settings: Settings, stack_file: StackFile, worlds: Mapping[str, WorldName]
) -> tuple[Verdict, ...]:
    """Where each service of a stack file runs.

    Each is planned without those that it only waits for, so that one refusal hides no other.

    Args:
        settings: Settings that name no service.
        stack_file: The stack file.
        worlds: The world of services by engine.
    """
    alone = replace(
        stack_file,
        services={name: _alone(service) for name, service in stack_file.services.items()},
    )
    return tuple(
        Verdict(
            name,
            {
                engine: _refusals(replace(settings, engine=engine), alone, worlds[engine], name)
                for engine in ENGINES
            },
            service.profiles,
        )
        for name, service in stack_file.services.items()
    )


def _alone(service: Service) -> Service:
    joined = {written.removeprefix("service:") for written in service.joins.values()}
    kept = {name: how for name, how in service.depends_on.items() if name in joined}
    return replace(service, depends_on=kept)


def _refusals(
    settings: Settings, stack_file: StackFile, world: WorldName, name: str
) -> tuple[str, ...]:
    try:
        plan_once_decided(settings, stack_file, world, (name,))
    except ConfigError as error:
        return told(error)
    return ()


def plan_once_decided(
    settings: Settings, stack_file: StackFile, world: WorldName, services: Sequence[str] = ()
) -> tuple[Plan, tuple[str, ...]]:
    """The plan once a person has allowed the mounts that only a person can allow, and these mounts.

    Raises:
        ConfigError: If there is none.
    """
    undecided: dict[str, str] = {}
    while True:
        allowed = replace(settings, mounts={**settings.mounts, **undecided})
        try:
            return plan_of(allowed, stack_file, world, services), tuple(undecided)
        except UndecidedMount as error:
            if error.mount in undecided:
                raise
            undecided[error.mount] = "share"


def told(error: ConfigError) -> tuple[str, ...]:
    """Each mistake of an error, on a line of its own with what to do."""
    return tuple(
        f"{one.what} → {one.remedy}" if one.remedy else one.what for one in (error, *error.others)
    )
