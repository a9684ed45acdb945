"""The layers of settings as one nested mapping, with the origin of each value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from stackproof.errors import ConfigError
from stackproof.settings.env_file import OWN_PREFIX
from stackproof.stack_file.reading.nodes import Location, Node
from stackproof.stack_file.reading.suggestion import did_you_mean

Path_ = tuple[str, ...]

DEFAULT = Location("default")
"""Where values stand that nobody has written."""

ENVIRONMENT_KEYS: Mapping[str, Path_] = {
    "STACKPROOF_STACK": ("stack",),
    "STACKPROOF_ENGINE": ("engine",),
    "STACKPROOF_WORLD": ("world",),
    "STACKPROOF_PROJECT": ("project",),
    "STACKPROOF_PROFILES": ("profiles",),
    "STACKPROOF_START_TIMEOUT": ("timeouts", "start"),
    "STACKPROOF_STOP_TIMEOUT": ("timeouts", "stop"),
    "STACKPROOF_COMMAND_TIMEOUT": ("timeouts", "command"),
    "STACKPROOF_CPUS": ("limits", "cpus"),
    "STACKPROOF_MEMORY": ("limits", "memory"),
    "STACKPROOF_PIDS": ("limits", "pids"),
    "STACKPROOF_CADDY_BINDIR": ("servers", "caddy"),
    "STACKPROOF_MARIADB_BINDIR": ("servers", "mariadb"),
    "STACKPROOF_MEMCACHED_BINDIR": ("servers", "memcached"),
    "STACKPROOF_NATS_BINDIR": ("servers", "nats"),
    "STACKPROOF_NGINX_BINDIR": ("servers", "nginx"),
    "STACKPROOF_POSTGRES_BINDIR": ("servers", "postgres"),
    "STACKPROOF_RABBITMQ_BINDIR": ("servers", "rabbitmq"),
    "STACKPROOF_REDIS_BINDIR": ("servers", "redis"),
    "STACKPROOF_TRAEFIK_BINDIR": ("servers", "traefik"),
    "STACKPROOF_COVERAGE": ("coverage",),
    "STACKPROOF_HERMETIC": ("hermetic",),
    "STACKPROOF_ISOLATION": ("isolation", "default"),
    "STACKPROOF_PRELOAD": ("isolation", "preload"),
    "STACKPROOF_DATA": ("isolation", "data"),
    "STACKPROOF_POOL": ("isolation", "pool"),
    "STACKPROOF_SHARED": ("isolation", "shared"),
    "STACKPROOF_STRICT": ("isolation", "strict"),
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


def laid(base: Node, path: Path_, over: Node) -> Node:
    """The layers with a stronger value laid over them; mappings are merged, all else is replaced.

    Args:
        base: The weaker layers.
        path: The key that the value belongs to.
        over: The value.
    """
    for key in reversed(path):
        over = Node({key: over}, DEFAULT)
    return _merged(base, over)


def _merged(base: Node, over: Node) -> Node:
    if over.value is None:  # a key without a value sets nothing
        return base
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = _merged(merged[key], child) if key in merged else child
    return replace(base, value=merged)


def setting_path(name: str, where: Location, services: Iterable[str]) -> Path_:
    """The key that a `STACKPROOF_…` variable sets.

    Args:
        name: Name of the variable.
        where: Where it was found, for the error.
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
        known = [*ENVIRONMENT_KEYS, *(f"{prefix}<SERVICE>" for prefix in PREFIXES)]
        remedy = did_you_mean(name, known)
    raise ConfigError(
        f"there is no setting {name}", source=where.source, line=where.line, remedy=remedy
    )


def variable_part(service: str) -> str:
    """How the name of a service is written in the name of a variable."""
    return service.upper().replace("-", "_").replace(".", "_")


def is_setting(name: str) -> bool:
    """Whether a variable is meant as a setting of stackproof."""
    return name.startswith(OWN_PREFIX)
