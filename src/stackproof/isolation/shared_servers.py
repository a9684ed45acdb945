"""Servers that many stacks of this process share, each with a part that was cloned for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from stackproof import lifecycle
from stackproof.engines.base import Say
from stackproof.isolation import isolated as isolation
from stackproof.isolation.clones import Clones
from stackproof.isolation.redis_slots import RedisSlots
from stackproof.lifecycle import Started
from stackproof.plan import shared_needs
from stackproof.plan.sharing.sharing import SharedNeed, SharedPart
from stackproof.stack.database import mark_databases
from stackproof.stack.postgres import database_settings, database_url
from stackproof.stack.resolved import ResolvedStack, StackRequest
from stackproof.stack.running import Stack
from stackproof.stack.shared_running import Share
from stackproof.stack.sql_session import open_session


@dataclass
class SharedServers:
    """A run that has only servers in it, with the data after migrate and seed.

    Attributes:
        resolved: What it was started from.
        started: The running servers.
        clones: Clones of the database of each PostgreSQL, by service.
        slots: Logical databases of each Redis, by service.
    """

    resolved: ResolvedStack
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
        project = self.resolved.run.project
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
            parts={part.service: part for part in parts},
            running=self.stack.running,
            release=partial(self._release, parts),
            keep=self.leave_up,
        )

    def _ports(self, service: str) -> dict[int, int]:
        return {
            endpoint.target: endpoint.port
            for endpoint in self.stack.plan.service(service).endpoints
        }

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
        settings = {**database_settings(self.stack.plan.service(service)), "POSTGRES_DB": name}
        return database_url(settings, self.stack.endpoint(service))

    def close(self, say: Say) -> None:
        """Stop the servers and remove everything that they have made, unless they are kept.

        Raises:
            TeardownIncomplete: If something is left.
        """
        for clones in self.clones.values():
            clones.close(reopen=self.is_kept)
        if not self.is_kept:
            lifecycle.down(self.resolved, say, force=True, disposable=True)
            self.started.let_go()

    def leave_up(self) -> None:
        """Let the servers outlive this process, until somebody takes them down."""
        if not self.is_kept and self.started.lease is not None:
            self.started.lease.release()
        self.is_kept = True


def start_servers(
    request: StackRequest,
    names: Sequence[str],
    say: Say,
    artifacts: isolation.Artifacts | None = None,
) -> SharedServers:
    """Start some servers of a stack from the snapshot after seed, which is made if there is none.

    Args:
        request: Which stack, with what environment and limits.
        names: The services to be shared.
        say: Takes lines of progress.
        artifacts: Gives the folder where a failed start leaves its logs.

    Raises:
        ConfigError: If the stack can't share them.
        StackproofError: If they do not start; nothing of them is left then.
    """
    whole = lifecycle.resolve(replace(request, isolated=True))
    settings = whole.settings
    needs = shared_needs(settings, whole.stack_file, engine=settings.engine, names=names)
    resolved = lifecycle.resolve(
        replace(request, isolated=True, services=tuple(names), coverage=None)
    )
    kept = artifacts(resolved) if artifacts else None
    with isolation.seeded(request, whole, say, artifacts) as snapshot:
        if snapshot is None:
            raise settings.refusal(
                ("isolation", "shared"),
                f"{', '.join(names)} can't be shared: no snapshot of this stack can be made",
                remedy="keep the data of its database servers in volumes of the stack file, or "
                "remove `isolation.shared`",
            )
        started = lifecycle.up(resolved, say, hold=True, artifacts=kept, snapshot=snapshot)
    servers = SharedServers(resolved, started)
    try:
        mark_databases(started.stack)  # the clones get it from there
        for need in needs:
            _divide(servers, need)
    except BaseException:
        servers.close(say)
        raise
    return servers


def _divide(servers: SharedServers, need: SharedNeed) -> None:
    if need.database:
        session = open_session(servers.stack, need.service)
        servers.clones[need.service] = Clones(session, need.database)
        return
    endpoint = servers.stack.endpoint(need.service)
    servers.slots[need.service] = RedisSlots(
        need.service, (endpoint.host, endpoint.port), width=need.indexes, password=need.password
    )
