"""Which world the services of a copy see: the running copy's, else as the settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from stackproof.plan.world.building import shares_host_network
from stackproof.plan.world.model import WorldName
from stackproof.settings import Settings
from stackproof.stack.running_record import RunningRecord
from stackproof.stack_file import select_services
from stackproof.stack_file.model import Service, StackFile


@dataclass(frozen=True)
class ChosenWorld:
    """The world of a copy.

    Attributes:
        name: `private` or `host`.
        notice: Why it is not what the settings ask for; empty where it is.
    """

    name: WorldName = "host"
    notice: str = ""


def choose_world(
    settings: Settings,
    stack_file: StackFile,
    names: Collection[str],
    known: RunningRecord | None,
    refusal: Callable[[], str],
) -> ChosenWorld:
    """The world of a copy of a stack; the engines beside `process` have no choice.

    Args:
        settings: The settings.
        stack_file: The stack file.
        names: The services that were asked for; none named: all of the active profiles.
        known: What the copy that is there was started from; None where there is none.
        refusal: Says why this machine allows no private world; empty where it does.

    Raises:
        ConfigError: If a private world is asked for and can't be had.
    """
    if settings.engine != "process":
        return ChosenWorld()
    services = select_services(stack_file, settings.profiles, names).values()
    running = known.world if known is not None and known.engine == "process" else None
    asked = settings.world
    if running is not None:
        is_other = asked not in {"auto", running}
        told = (
            f"the stack runs in the {running} world; `invoke up --fresh` starts it in the {asked}"
        )
        return ChosenWorld(running, f"{told} one" if is_other else "")
    if asked == "host":
        return ChosenWorld()
    why = _of_this_machine(services) if asked == "auto" else ""
    why = why or refusal()
    if not why:
        return ChosenWorld("private")
    if asked == "auto":
        return ChosenWorld(
            "host", f"services run in the host world, with translated addresses: {why}"
        )
    raise settings.refusal(
        ("world",),
        "a private world can't be had here",
        observed=why,
        remedy="allow it as said, or write `world: auto` to run with translated addresses here",
    )


def _of_this_machine(services: Iterable[Service]) -> str:
    named = [service.name for service in services if shares_host_network(service)]
    return f"{named[0]} shares this machine's network (`network_mode: host`)" if named else ""
