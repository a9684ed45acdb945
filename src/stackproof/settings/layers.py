"""The layers of settings as one nested mapping, with the origin of each value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stackproof.errors import ConfigError
from stackproof.settings.env_file import OWN_PREFIX
from stackproof.settings.model import Origin
from stackproof.settings.suggestion import did_you_mean

Path_ = tuple[str, ...]

ENVIRONMENT_KEYS: Mapping[str, Path_] = {
    "STACKPROOF_STACK": ("stack",),
    "STACKPROOF_ENGINE": ("engine",),
    "STACKPROOF_PROJECT": ("project",),
    "STACKPROOF_PROFILES": ("profiles",),
    "STACKPROOF_START_TIMEOUT": ("timeouts", "start"),
    "STACKPROOF_STOP_TIMEOUT": ("timeouts", "stop"),
    "STACKPROOF_COMMAND_TIMEOUT": ("timeouts", "command"),
    "STACKPROOF_CPUS": ("limits", "cpus"),
    "STACKPROOF_MEMORY": ("limits", "memory"),
    "STACKPROOF_PIDS": ("limits", "pids"),
    "STACKPROOF_POSTGRES_BINDIR": ("servers", "postgres"),
    "STACKPROOF_REDIS_BINDIR": ("servers", "redis"),
    "STACKPROOF_COVERAGE": ("coverage",),
    "STACKPROOF_HERMETIC": ("hermetic",),
    "STACKPROOF_ISOLATION": ("isolation", "default"),
    "STACKPROOF_POOL": ("isolation", "pool"),
    "STACKPROOF_SHARED": ("isolation", "shared"),
    "STACKPROOF_ARTIFACTS": ("artifacts",),
    "STACKPROOF_CACHE_DIR": ("cache",),
}
"""Environment variables that are settings, with the key that each one sets."""

PORT_PREFIX = "STACKPROOF_PORT_"
"""`STACKPROOF_PORT_<SERVICE>` sets `ports.<service>`; the name in capitals, `-` and `.` as `_`."""

ATTACHED_PREFIX = "STACKPROOF_ATTACHED_"
"""`STACKPROOF_ATTACHED_<SERVICE>` sets `attached.<service>` in the same way."""

PREFIXES = {PORT_PREFIX: "ports", ATTACHED_PREFIX: "attached"}

RESERVED = (
    "STACKPROOF_STATE_DIR",
    "STACKPROOF_RUN",
    "STACKPROOF_REAPER_FD",
    "STACKPROOF_SERVICE",
)
"""Variables that stackproof reads or sets itself; no settings, and never in `.env.integration`."""


@dataclass
class Layers:
    """A nested mapping that stronger layers are laid over.

    Attributes:
        tree: The merged values.
        origins: Key path to where the value, or the mapping, was written.
    """

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path_, Origin] = field(default_factory=dict)

    def lay(self, path: Path_, value: Any, origin: Origin) -> None:
        """Lay one value over what is there; mappings are merged, all else is replaced."""
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.lay((*path, str(key)), item, origin)
            if not value:
                self._branch(path)
            return
        branch = self._branch(path[:-1])
        if isinstance(branch.get(path[-1]), dict | list):
            for old in [one for one in self.origins if one[: len(path)] == path]:
                del self.origins[old]
        branch[path[-1]] = value
        self.origins[path] = origin

    def _branch(self, path: Path_) -> dict[str, Any]:
        branch = self.tree
        for part in path:
            inner = branch.get(part)
            if not isinstance(inner, dict):
                inner = branch[part] = {}
            branch = inner
        return branch


def setting_path(name: str, origin: Origin, services: Iterable[str]) -> Path_:
    """The key that a `STACKPROOF_…` variable sets.

    Args:
        name: Name of the variable.
        origin: Where it was found, for the error.
        services: Names of services that the stack config mentions.

    Raises:
        ConfigError: If there is no such setting.
    """
    if name in ENVIRONMENT_KEYS:
        return ENVIRONMENT_KEYS[name]
    for prefix, key in PREFIXES.items():
        if name.startswith(prefix) and name != prefix:
            wanted = name.removeprefix(prefix)
            found = [service for service in services if variable_part(service) == wanted]
            return (key, found[0] if found else wanted.lower().replace("_", "-"))
    if name in RESERVED:
        remedy = "remove it; stackproof sets it itself, or reads it from the process environment"
    else:
        remedy = did_you_mean(name, [*ENVIRONMENT_KEYS, *(one + "<SERVICE>" for one in PREFIXES)])
    raise ConfigError(
        f"there is no setting {name}", source=origin.name, line=origin.line, remedy=remedy
    )


def variable_part(service: str) -> str:
    """How the name of a service is written in the name of a variable."""
    return service.upper().replace("-", "_").replace(".", "_")


def is_setting(name: str) -> bool:
    """Whether a variable is meant as a setting of stackproof."""
    return name.startswith(OWN_PREFIX)
