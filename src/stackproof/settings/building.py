"""Turns a validated stack config into settings: absolute paths and plain, frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stackproof.settings.model import (
    Command,
    Database,
    Isolation,
    Origin,
    Settings,
    Suite,
    Timeouts,
)
from stackproof.settings.schema import CommandSection, ServiceLimitsSection, StackConfig
from stackproof.stack_file.model import Limits
from stackproof.stack_file.regular_files import real_path


def build_settings(
    config: StackConfig,
    root: Path,
    file: Path,
    origins: Mapping[tuple[str, ...], Origin],
    *,
    visible: Mapping[str, str],
    cache: Path,
) -> Settings:
    """The settings that a validated config stands for.

    Args:
        config: The config with all layers laid over it.
        root: The project's folder, which `artifacts`, `cache` and `servers` are relative to.
        file: The stack config, whose folder `compose_files` are relative to.
        origins: Where each value came from.
        visible: Variables of the process environment that `${…}` sees beside the config's own.
        cache: The cache folder where none is configured.
    """
    database = config.database
    return Settings(
        root=root,
        stack=config.stack,
        config_file=file,
        compose_files=tuple(_absolute(file.parent, one) for one in config.compose_files),
        project=config.project,
        engine=config.engine,
        profiles=tuple(config.profiles),
        variables={**visible, **config.variables},
        ports=dict(config.ports),
        database=Database(database.service, database.name) if database else None,
        gateway_service=config.gateway.service if config.gateway else None,
        environment={name: dict(values) for name, values in config.environment.items()},
        migrate=_commands(config.migrate),
        seed=_commands(config.seed),
        limits=_limits(config.limits),
        service_limits={name: _limits(one) for name, one in config.limits.services.items()},
        servers={name: _absolute(root, one) for name, one in config.servers.items()},
        timeouts=Timeouts(config.timeouts.start, config.timeouts.stop, config.timeouts.command),
        secrets=tuple(config.secrets),
        coverage=config.coverage,
        hermetic=config.hermetic,
        attached=dict(config.attached),
        external=tuple(config.external),
        isolation=Isolation(
            config.isolation.default,
            tuple(config.isolation.shared),
            config.isolation.pool,
            config.isolation.memory,
        ),
        mounts=dict(config.mounts),
        suites=_suites(config),
        artifacts=_absolute(root, config.artifacts),
        cache=_absolute(root, config.cache) if config.cache else cache,
        origins=dict(origins),
    )


def _absolute(folder: Path, written: str) -> Path:
    return real_path(folder, written)


def _commands(sections: Sequence[CommandSection]) -> tuple[Command, ...]:
    return tuple(Command(one.service, tuple(one.command)) for one in sections)


def _limits(section: ServiceLimitsSection) -> Limits:
    return Limits(section.cpus, section.memory, section.pids)


def _suites(config: StackConfig) -> dict[str, Suite]:
    return {
        name: Suite(
            name,
            tuple(one.paths) or (f"tests/{name}",),
            tuple(one.profiles),
            one.marker or name,
            one.isolation,
        )
        for name, one in config.suites.items()
    }
