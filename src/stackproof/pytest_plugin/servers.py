"""The servers that the tests of a process share, started when the first test needs them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackproof.engines.base import Say
    from stackproof.isolation.isolated import Artifacts
    from stackproof.isolation.shared_servers import SharedServers
    from stackproof.settings import Settings
    from stackproof.stack.resolved import StackRequest
    from stackproof.stack.shared_running import Share


@dataclass(frozen=True)
class SharedDatabase:
    """A database of one test.

    Attributes:
        url: How it is reached, with user and password.
        give_back: Lets it be dropped.
    """

    url: str
    give_back: Callable[[], None]


class ServersOfTests:
    """Starts the servers of each kind of stack once, and ends them with the session.

    Args:
        artifacts: Gives the folder where a failed start leaves its logs.
    """

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._started: dict[Hashable, SharedServers] = {}
        self._starting = threading.Lock()

    @property
    def projects(self) -> set[str]:
        """Names of the runs that have the servers."""
        return {servers.resolved.run.project for servers in self._started.values()}

    def share(self, stack_request: StackRequest, names: Sequence[str], say: Say) -> Share:
        """Parts of servers for a stack.

        Args:
            stack_request: Which stack.
            names: The services to be shared.
            say: Takes lines of progress.

        Raises:
            StackproofError: If the servers do not start, or can't be shared.
        """
        return self._of(stack_request, names, say).share()

    def database(self, stack_request: StackRequest, settings: Settings, say: Say) -> SharedDatabase:
        """A database for a test, on the servers that stacks share if it is among them.

        Args:
            stack_request: Which stack.
            settings: Its settings.
            say: Takes lines of progress.

        Raises:
            StackproofError: If the server does not start, or its database can't be cloned.
        """
        service = _database_service(stack_request, settings)
        shared = settings.isolation.shared
        servers = self._of(stack_request, shared if service in shared else (service,), say)
        name = servers.take_database(service)
        return SharedDatabase(
            servers.database_url(service, name),
            partial(servers.give_back_database, service, name),
        )

    def _of(self, stack_request: StackRequest, names: Sequence[str], say: Say) -> SharedServers:
        from stackproof.isolation.shared_servers import start_servers

        key = (repr(replace(stack_request, environment={})), tuple(names))
        with self._starting:  # stacks are started in several threads
            if key not in self._started:
                self._started[key] = start_servers(stack_request, names, say, self._artifacts)
            return self._started[key]

    def close(self) -> list[BaseException]:
        """End all servers; gives the errors of those that did not end well."""
        from stackproof.errors import StackproofError

        errors: list[BaseException] = []
        for servers in self._started.values():
            try:
                servers.close(_nobody)
            except StackproofError as error:
                errors.append(error)
        self._started.clear()
        return errors


def _database_service(stack_request: StackRequest, settings: Settings) -> str:
    """The configured database service, or else the only PostgreSQL service."""
    if settings.database is not None:
        return settings.database.service
    from stackproof import lifecycle
    from stackproof.stack.postgres import only_database_service

    return only_database_service(lifecycle.resolve(replace(stack_request, isolated=True)).plan)


def _nobody(line: str) -> None:
    """Nobody reads the progress of servers that end."""
