"""What the command of a `rabbitmq` service does before its server starts: it enables plugins."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from stackproof.errors import ConfigError

_SHELLS = frozenset({"sh", "bash", "ash"})
_ENTRYPOINTS = frozenset({"docker-entrypoint.sh", "rabbitmq-server"})
_OPTIONS = frozenset({"--offline", "--online", "-q", "--quiet", "--all"})


def enabled_by_command(service: str, argv: Sequence[str]) -> list[str]:
    """The plugins that a command enables before it starts the server.

    Args:
        service: Name of the service, for errors.
        argv: Entrypoint and command.

    Raises:
        ConfigError: If the command does anything else.
    """
    words = list(argv)
    if len(words) > 2 and _name(words[0]) in _SHELLS and re.fullmatch(r"-\w*c", words[1]):  # noqa: PLR2004 - sh -c text
        parts = [part for part in re.split(r"&&|;|\n", words[2]) if part.strip()]
    else:
        parts = [shlex.join(words)] if words else []
    found: list[str] = []
    for part in parts:
        found += _enabled(service, part)
    return found


def _enabled(service: str, part: str) -> list[str]:
    try:
        words = [word for word in shlex.split(part) if word != "exec"]
    except ValueError:
        words = [part]
    if all(_name(word) in _ENTRYPOINTS for word in words):
        return []
    is_plugins = [_name(words[0]), *words[1:2]] == ["rabbitmq-plugins", "enable"]
    if not is_plugins or any(word.startswith("-") and word not in _OPTIONS for word in words[2:]):
        raise ConfigError(
            f"the command of {service} can't be honoured by a native RabbitMQ",
            key=f"services.{service}.command",
            observed=f"{part.strip()!r} is neither rabbitmq-server nor `rabbitmq-plugins enable …`",
            remedy="mount a file at /etc/rabbitmq (rabbitmq.conf, definitions.json, "
            "enabled_plugins) in its place, or use --engine compose",
        )
    return [word for word in words[2:] if not word.startswith("-")]


def _name(word: str) -> str:
    return word.rsplit("/", 1)[-1]
