"""A stack of somebody else's: its addresses and database can be used, its services not moved."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NoReturn

from stackproof.engines.base import CommandResult, LogLine, Say, ServiceStatus, Streams
from stackproof.engines.process.images.postgres_server import INSTALLED, WHEELS
from stackproof.engines.process.images.search import candidate, in_wheel, matching, on_path
from stackproof.errors import EngineUnavailable, NotAttached, WaitTimeout
from stackproof.plan.model import Plan

PSQL = "psql"
PLACES = tuple(one.removesuffix("postgres") + PSQL for one in INSTALLED)


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
            ServiceStatus(one.name, "running", detail="attached") for one in self._plan.services
        )

    def wait_ready(self, timeout: float, say: Say) -> None:
        """Whoever has started the services has waited for them."""

    def logs(
        self, services: Sequence[str] = (), *, tail: int | None = None, since: str = ""
    ) -> Iterator[LogLine]:
        """No lines: they are with whoever has started the services."""
        return iter(())

    def follow(self, services: Sequence[str] = ()) -> Iterator[LogLine]:
        """No lines either."""
        return iter(())

    def run(
        self, name: str, service: str, argv: Sequence[str], *, timeout: float, say: Say
    ) -> CommandResult:
        """Refuse to migrate or seed.

        Raises:
            NotAttached: Always.
        """
        _refuse(f"run {name} in", [service])

    def execute(
        self,
        service: str,
        argv: Sequence[str],
        streams: Streams,
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Run this machine's `psql` against an attached database; refuse all else.

        Raises:
            NotAttached: If the command is another one.
            EngineUnavailable: If this machine has no `psql`.
            WaitTimeout: If it was ended because of the time-out.
        """
        if argv[0] != PSQL:
            _refuse(f"run {argv[0]} in", [service])
        try:
            done = subprocess.run(
                [_psql(), *argv[1:]],
                stdin=streams.stdin,
                stdout=streams.stdout,
                stderr=streams.stderr,
                env={**os.environ, **(environment or {})},
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WaitTimeout(f"{PSQL} at {service} ends", waited=timeout or 0.0) from None
        return done.returncode

    def owns_data(self, service: str) -> bool:
        """No data of it are stackproof's."""
        return False

    def details(self) -> Mapping[str, Any]:
        """Only the addresses are known."""
        return {one.name: [end.url for end in one.endpoints] for one in self._plan.services}

    def start(self, services: Sequence[str]) -> None:
        """Refuse."""
        _refuse("start", services)

    def stop(self, services: Sequence[str]) -> None:
        """Refuse."""
        _refuse("stop", services)

    def restart(self, services: Sequence[str]) -> None:
        """Refuse."""
        _refuse("restart", services)

    def kill(self, services: Sequence[str], signal: str = "SIGKILL") -> None:
        """Refuse."""
        _refuse("kill", services)

    def pause(self, services: Sequence[str]) -> None:
        """Refuse."""
        _refuse("pause", services)

    def unpause(self, services: Sequence[str]) -> None:
        """Refuse."""
        _refuse("unpause", services)


def _refuse(verb: str, services: Sequence[str]) -> NoReturn:
    raise NotAttached(f"stackproof can't {verb} {', '.join(services)}, which it did not start")


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
