"""Which services are on: without those that the settings exclude, by the profiles that are on.

The profiles are those of the settings, else of COMPOSE_PROFILES; each must exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stackproof.errors import ConfigError
from stackproof.settings.model import Command, Settings
from stackproof.stack_file import leave_out, load_stack_file
from stackproof.stack_file.model import StackFile
from stackproof.stack_file.reading.suggestion import did_you_mean
from stackproof.stack_file.replicas import expanded, with_replicas


def leaving_out(settings: Settings, names: tuple[str, ...]) -> Settings:
    """The settings with services that the command line leaves out, now or when the stack started.

    Args:
        settings: The settings.
        names: The services.
    """
    excluded = tuple(dict.fromkeys((*settings.excluded, *names)))
    return replace(settings, excluded=excluded, without=names)


def load_wanted(settings: Settings) -> StackFile:
    """The stack file without left-out services, what they say need not be supported.

    Args:
        settings: The settings.

    Raises:
        ConfigError: If it is wrong, or a service can't be left out.
    """
    files, variables = settings.compose_files, settings.stack_variables
    whole = load_stack_file(files, variables, left_out=settings.excluded)
    return without_excluded(settings, whole)


def without_excluded(settings: Settings, stack_file: StackFile) -> StackFile:
    """The stack file without the services that the settings exclude, each replica by itself.

    Args:
        settings: The settings.
        stack_file: The stack file.

    Raises:
        ConfigError: If it has no such service, or another one can't run without it.
    """
    for name in settings.excluded:
        if name not in stack_file.services:
            raise settings.refusal(
                ("services", "exclude"),
                f"there is no service {name!r} to leave out",
                observed=f"the services of the stack file: {', '.join(stack_file.services)}",
                remedy=did_you_mean(name, stack_file.services),
            )
    kept = leave_out(stack_file, settings.excluded) if settings.excluded else stack_file
    return with_replicas(kept)


def with_profiles(settings: Settings, stack_file: StackFile) -> Settings:
    """The settings with the profiles that are on.

    Args:
        settings: The settings.
        stack_file: The stack file.

    Raises:
        ConfigError: If no service has one of the profiles.
    """
    if settings.engine == "attached":
        return settings
    for name in settings.profiles or stack_file.default_profiles:
        if name != "*" and name not in stack_file.profiles:
            raise _unknown(name, settings, stack_file)
    settings = _for_replicas(settings, stack_file)
    return replace(settings, profiles=settings.profiles or stack_file.default_profiles)


def _for_replicas(settings: Settings, stack_file: StackFile) -> Settings:
    """Settings of a service that has replicas: they are for all, and its commands for the first."""
    replicas = stack_file.replicas

    def for_each(found: Mapping[str, Any]) -> dict[str, Any]:
        own = {name: value for name, value in found.items() if name not in replicas}
        return {one: found[name] for name in replicas if name in found
                for one in replicas[name]} | own  # fmt: skip

    def of_first(commands: tuple[Command, ...]) -> tuple[Command, ...]:
        firsts = {name: names[0] for name, names in replicas.items()}
        return tuple(
            replace(command, service=firsts.get(command.service, command.service))
            for command in commands
        )

    for name in settings.ports:
        if name in replicas:
            raise settings.refusal(
                ("ports", name),
                f"{name} has {len(replicas[name])} replicas, which can't have one port",
                remedy=f"name one of them: {', '.join(replicas[name])}",
            )
    return replace(
        settings,
        environment=for_each(settings.environment),
        service_limits=for_each(settings.service_limits),
        one_shots=tuple(expanded(settings.one_shots, replicas)),
        migrate=of_first(settings.migrate),
        seed=of_first(settings.seed),
    )


def _unknown(name: str, settings: Settings, stack_file: StackFile) -> ConfigError:
    what = f"no service has the profile {name!r}"
    known = stack_file.profiles
    observed = f"the profiles of the stack file: {', '.join(known) or 'none'}"
    remedy = did_you_mean(name, known) if known else "remove it"
    if not settings.profiles:
        return ConfigError(what, source="COMPOSE_PROFILES", observed=observed, remedy=remedy)
    key: tuple[str, ...] = ("profiles",)
    for suite in settings.suites.values():
        if name in suite.profiles:
            key = ("suites", suite.name, "profiles")
    return settings.refusal(key, what, observed=observed, remedy=remedy)
