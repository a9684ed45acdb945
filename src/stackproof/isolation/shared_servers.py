"""Servers that many stacks of this process share, each with a part that was cloned for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from stackproof import lifecycle
from stackproof.engines.base import Say
from stackproof.errors import ConfigError
from stackproof.isolation import isolated as isolation
from stackproof.isolation.clones import Clones
from stackproof.isolation.redis_slots import RedisSlots
from stackproof.lifecycle import Started
from stackproof.plan import shared_needs
from stackproof.plan.sharing.sharing import SharedNeed, SharedPart
from stackproof.stack.database import mark_databases
from stackproof.stack.resolved import Blueprint, Choice
from stackproof.stack.running import Stack, database_url
from stackproof.stack.shared_running import Share
from stackproof.stack.sql_session import open_session


@dataclass
class SharedServers:
    """A run that has only servers in it, with the data after migrate and seed.

    Attributes:
        blueprint: What it was started from.
        started: The running servers.
        clones: Clones of the database of each PostgreSQL, by service.
        slots: Logical databases of each Redis, by service.
    """

    blueprint: Blueprint
    started: Started
    clones: dict[str, Clones] = field(default_factory=dict)
    slots: dict[str, RedisSlots] = field(default_factory=dict)
    is_kept: bool = False

    @property
    def stack(self) -> Stack:
        """The servers as a stack."""
        return self.started.stack

    def share(self) -> Share:
        """Parts of all servers for one stack; of a Redis that is used up there is none.

        A stack without a part of a server starts one of its own.

        Raises:
            CommandFailed: If a database can't be cloned.
        """
        project = self.blueprint.run.project
        parts = [
            SharedPart(name, project, self._ports(name), database=clones.take())
            for name, clones in self.clones.items()
        ]
        indexes = {name: slots.take() for name, slots in self.slots.items()}
        parts += [
            SharedPart(name, project, self._ports(name), first_index=first)
            for name, first in indexes.items()
            if first is not None
        ]
        return Share(
            parts={one.service: one for one in parts},
            running=self.stack.running,
            release=partial(self._release, parts),
            keep=self.leave_up,
        )

    def _ports(self, service: str) -> dict[int, int]:
        return {one.target: one.port for one in self.stack.plan.service(service).endpoints}

    def _release(self, parts: Sequence[SharedPart]) -> None:
        if self.is_kept:
            return
        for part in parts:
            if part.database:
                self.clones[part.service].give_back(part.database)
            else:
                self.slots[part.service].give_back(part.first_index)

    def take_database(self, service: str) -> str:
        """The name of a database that nobody else gets, migrated and seeded.

        Args:
            service: Name of a PostgreSQL service.
        """
        return self.clones[service].take()

    def give_back_database(self, service: str, name: str) -> None:
        """Let a database be dropped."""
        if not self.is_kept:
            self.clones[service].give_back(name)

    def database_url(self, service: str, name: str) -> str:
        """The URL of a database, with user and password."""
        settings = {**self.stack.plan.service(service).environment, "POSTGRES_DB": name}
        return database_url(settings, self.stack.endpoint(service))

    def close(self, say: Say) -> None:
        """Stop the servers and remove everything that they have made, unless they are kept.

        Raises:
            TeardownIncomplete: If something is left.
        """
        for clones in self.clones.values():
            clones.close(reopen=self.is_kept)
        if not self.is_kept:
            lifecycle.down(self.blueprint, say, force=True, disposable=True)

    def leave_up(self) -> None:
        """Let the servers outlive this process, until somebody takes them down."""
        if not self.is_kept and self.started.lease is not None:
            self.started.lease.release()
        self.is_kept = True


def start_servers(choice: Choice, names: Sequence[str], say: Say) -> SharedServers:
    """Start some servers of a stack from the snapshot after seed, which is made if there is none.

    Args:
        choice: Which stack, with what environment and limits.
        names: The services to be shared.
        say: Takes lines of progress.

    Raises:
        ConfigError: If the stack can't share them.
        StackproofError: If they do not start; nothing of them is left then.
    """
    whole = lifecycle.resolve(replace(choice, isolated=True))
    settings = whole.settings
    needs = shared_needs(settings, whole.stack_file, engine=settings.engine, names=names)
    blueprint = lifecycle.resolve(replace(choice, isolated=True, services=tuple(names)))
    with isolation.seeded(choice, whole, say) as snapshot:
        if snapshot is None:
            raise _without_snapshot(whole, names)
        started = lifecycle.up(blueprint, say, hold=True, snapshot=snapshot)
    servers = SharedServers(blueprint, started)
    try:
        mark_databases(started.stack)  # the clones get it from there
        for need in needs:
            _divide(servers, need)
    except BaseException:
        servers.close(say)
        raise
    return servers


def _without_snapshot(whole: Blueprint, names: Sequence[str]) -> ConfigError:
    place = whole.settings.origin(("isolation", "shared"))
    return ConfigError(
        f"{', '.join(names)} can't be shared: of this stack no snapshot can be made",
        source=place.name,
        line=place.line,
        key="isolation.shared",
        remedy="let its database servers have their data in volumes of the stack file, or remove "
        "`isolation.shared`",
    )


def _divide(servers: SharedServers, need: SharedNeed) -> None:
    if need.database:
        session = open_session(servers.stack, need.service)
        servers.clones[need.service] = Clones(session, need.database)
        return
    endpoint = servers.stack.endpoint(need.service)
    servers.slots[need.service] = RedisSlots(
        need.service, (endpoint.host, endpoint.port), width=need.indexes, password=need.password
    )
