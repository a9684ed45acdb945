"""What configs that are there already say: ports stay, and what was left out stays left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.settings import Settings, load_settings, stacks
from stackproof.tasks.init.ports import Ports


def config_before(root: Path, stack: str) -> Settings | None:
    """What an earlier config of a stack says; None where there is none that can be read."""
    try:
        return load_settings(root, stack=stack, environment={})
    except ConfigError:
        return None


def name_before(root: Path, file: Path) -> str:
    """The stack whose config has a Compose file already; empty where none has it.

    Args:
        root: The project's folder.
        file: The first Compose file of a stack.
    """
    for name in stacks(root):
        known = config_before(root, name)
        if known is not None and known.compose_files[0] == file.resolve():
            return name
    return ""


def excluded_before(root: Path, stack: str) -> tuple[str, ...]:
    """The services that an earlier config of a stack leaves out.

    Args:
        root: The project's folder.
        stack: The stack; empty where none has its Compose file.
    """
    known = config_before(root, stack) if stack else None
    return known.excluded if known is not None else ()


def ports_of_configs(settings: Settings, others: Sequence[str]) -> tuple[Ports, set[int]]:
    """The ports of an earlier config of the stack, and those of the other stacks."""
    before: Ports = {}
    taken: set[int] = set()
    if known := config_before(settings.root, settings.stack):
        file = f"config/{settings.stack}.yaml"
        before = {
            service: port
            for service, port in known.ports.items()
            if known.origin(("ports", service)).name == file
        }
    for name in others:
        other = config_before(settings.root, name)
        for port in other.ports.values() if other is not None else ():
            taken |= set(port.values()) if isinstance(port, Mapping) else {port}
    return before, taken
