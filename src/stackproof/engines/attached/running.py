"""A stack of somebody else's: its addresses and database can be used, its services not moved."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NoReturn

from stackproof.engines.base import Action, Command, LogLine, Say, ServiceStatus, Streams
from stackproof.engines.events import ServiceEvent
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.process.images.postgres_server import INSTALLED, WHEELS
from stackproof.engines.process.images.search import candidate, in_wheel, matching, on_path
from stackproof.errors import EngineUnavailable, NotAttached, WaitTimeout
from stackproof.plan.model import Plan

PSQL = "psql"
PLACES = tuple(server.removesuffix("postgres") + PSQL for server in INSTALLED)


class AttachedPlan:
    """What can be done with a stack that stackproof did not start.

    Args:
        plan: The addresses.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def status(self) -> tuple[ServiceStatus, ...]:
        """Nothing is known of the services but that somebody says they are there."""
        return tuple(
            ServiceStatus(service.name, "running", detail="attached")
            for service in self._plan.services
        )

    def wait_ready(self, timeout: float, say: Say) -> None:
        """Whoever has started the services has waited for them."""

    def logs(
        self, services: Sequence[str] = (), *, tail: int | None = None, since: str = ""
    ) -> Iterator[LogLine]:
        """No lines: they are with whoever has started the services."""
        return iter(())

    def events(self, since: str) -> tuple[ServiceEvent, ...]:
        """Nothing is known of what happens to the services."""
        return ()

    def follow(self, services: Sequence[str] = ()) -> Iterator[LogLine]:
        """No lines either."""
        return iter(())

    def run(self, name: str, service: str, command: Command, say: Say) -> NoReturn:
        """Refuse to migrate or seed."""
        _refuse(f"run {name} in", [service])

    def execute(self, service: str, command: Command, streams: Streams) -> int:
        """Run this machine's `psql` against an attached database; refuse all else.

        Raises:
            NotAttached: If the command is another one.
            EngineUnavailable: If this machine has no `psql`.
            WaitTimeout: If it was ended because of the time-out.
        """
        if command.argv[0] != PSQL:
            _refuse(f"run {command.argv[0]} in", [service])
        try:
            done = subprocess.run(
                [_psql(), *command.argv[1:]],
                stdin=streams.stdin,
                stdout=streams.stdout,
                stderr=streams.stderr,
                env={**os.environ, **command.environment},
                timeout=command.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WaitTimeout(f"{PSQL} at {service} ends", waited=command.timeout or 0.0) from None
        return done.returncode

    def owns_data(self, service: str) -> bool:
        """No data of it are stackproof's."""
        return False

    def details(self) -> Mapping[str, Any]:
        """Only the addresses are known."""
        return {
            service.name: [endpoint.url for endpoint in service.endpoints]
            for service in self._plan.services
        }

    def receipt(self) -> None:
        """None: nothing can be tried inside what somebody else has started."""

    def disturb(self, fault: NetworkFault) -> NoReturn:
        """Refuse."""
        _refuse("disturb the network of", [fault.one, fault.other])

    def control(
        self,
        action: Action,
        services: Sequence[str],
        *,
        signal: str = "SIGKILL",
    ) -> NoReturn:
        """Refuse."""
        _refuse(action, services)


def _refuse(verb: str, services: Sequence[str]) -> NoReturn:
    raise NotAttached(
        f"stackproof can't {verb} {', '.join(services)}, which it did not start",
        remedy="use --engine process or --engine compose for a stack that may be changed",
    )


def _psql() -> str:
    wheels = (in_wheel(name, f"**/bin/{PSQL}") for name in WHEELS)
    for program, origin in chain(matching(PLACES), on_path(PSQL), *wheels):
        if candidate(program, origin):  # Debian's wrapper is there also without a client behind it
            return str(program)
    raise EngineUnavailable(
        f"this machine has no {PSQL} that runs",
        checked=[*PLACES, "PATH", *(f"the wheel {name}" for name in WHEELS)],
        remedy="install PostgreSQL's client programs, or stackproof[embedded]",
    )
