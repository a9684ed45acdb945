"""A running stack, as tests and tasks see it: addresses, services, logs, commands, faults."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from stackproof.engines.base import CommandResult, RunningPlan, ServiceStatus, Streams
from stackproof.errors import CommandFailed, ConfigError, NotAttached, WaitFailed
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.stack.diagnosis import diagnose
from stackproof.waiting import CLOCK, Clock, wait_until

if TYPE_CHECKING:
    from stackproof.gateway.client import GatewayClient

T = TypeVar("T")

DATABASE_SCHEME = "postgresql"


@dataclass(frozen=True)
class ServiceHandle:
    """One service of a running stack.

    Attributes:
        name: Name of the service.
        running: The engine's side of the stack.
    """

    name: str
    running: RunningPlan

    def state(self) -> ServiceStatus:
        """What is known of it now."""
        return next(one for one in self.running.status() if one.name == self.name)

    def logs(self, *, tail: int | None = None, since: str = "") -> str:
        """What it has written, secrets masked.

        Args:
            tail: Only so many last lines.
            since: Only lines from this time on (ISO 8601, UTC).
        """
        lines = self.running.logs([self.name], tail=tail, since=since)
        return "\n".join(line.text for line in lines)

    def exec(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60.0,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> CommandResult:
        """Run a command in the service's surroundings and collect what it writes.

        Args:
            argv: The command.
            timeout: Seconds after which it is ended.
            environment: Variables beside the service's own.
            stdin: What it reads.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
        """
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(stdin.encode())
            given.seek(0)
            streams = Streams(given.fileno(), out.fileno(), err.fileno())
            code = self.running.execute(
                self.name, argv, streams, environment=environment, timeout=timeout
            )
            return CommandResult(code, _content(out), _content(err))

    def start(self) -> None:
        """Start it and wait until it is well."""
        self.running.start([self.name])

    def stop(self) -> None:
        """Stop it in the way that the stack file says."""
        self.running.stop([self.name])

    def restart(self) -> None:
        """Stop and start it, and wait until it is well."""
        self.running.restart([self.name])

    def kill(self, signal: str = "SIGKILL") -> None:
        """Send it a signal."""
        self.running.kill([self.name], signal)

    def pause(self) -> None:
        """Freeze all its processes."""
        self.running.pause([self.name])

    def unpause(self) -> None:
        """Let its frozen processes go on."""
        self.running.unpause([self.name])

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it for the time of a `with` block, and start it again whatever happens in there."""
        self.stop()
        try:
            yield
        finally:
            self.start()


@dataclass(frozen=True)
class Stack:
    """A running stack.

    Attributes:
        plan: What it was started from.
        running: The engine's side of it.
        kept: Folder of the files that a test leaves of it; None outside of tests.
    """

    plan: Plan
    running: RunningPlan
    kept: Path | None = None

    @property
    def artifacts(self) -> Path:
        """A folder for files that a test wants to leave of this stack, beside the session's own.

        Raises:
            ConfigError: If no test session has given the stack one.
        """
        if self.kept is None:
            raise ConfigError(
                f"the stack {self.plan.project} has no folder for artifacts",
                remedy="take it from the fixture `stack` or `running_stack`",
            )
        self.kept.mkdir(parents=True, exist_ok=True)
        return self.kept

    def service(self, name: str) -> ServiceHandle:
        """The service of that name.

        Raises:
            ConfigError: If the stack has none.
        """
        self._service_plan(name)
        return ServiceHandle(name, self.running)

    def endpoint(self, service: str, port: int | None = None) -> Endpoint:
        """Where a port of a service is reached.

        Args:
            service: Name of the service.
            port: The port inside the container; None where the service has only one.

        Raises:
            ConfigError: If the service has no such port.
        """
        found = [one for one in self._service_plan(service).endpoints if port in {None, one.target}]
        if found:
            return found[0]
        wanted = "a port" if port is None else f"port {port}"
        raise ConfigError(
            f"the service {service} has no {wanted} that can be reached",
            remedy=f"add it under `ports` or `expose` of {service} in the stack file",
        )

    def url(self, service: str, port: int | None = None) -> str:
        """The address of a service as a URL, such as `http://127.0.0.1:18000`."""
        return self.endpoint(service, port).url

    @cached_property
    def gateway(self) -> GatewayClient:
        """What its LLM gateway was asked, and what it shall answer, outside of all namespaces.

        Raises:
            ConfigError: If the stack has no gateway.
        """
        return self.gateway_for("default")

    def gateway_for(self, namespace: str) -> GatewayClient:
        """A client of a namespace of its LLM gateway; the caller closes it.

        Args:
            namespace: Letters, digits, dots, - and _; `default` is what calls without one are in.

        Raises:
            ConfigError: If the stack has no gateway.
        """
        from stackproof.gateway.client import GatewayClient

        service = self.plan.gateway_service
        if service is None and self.plan.engine == "attached":
            raise NotAttached(
                f"the gateway of {self.plan.stack} is not attached",
                remedy="set STACKPROOF_ATTACHED_<SERVICE> to its address, if there is one",
            )
        if service is None:
            raise ConfigError(
                f"the stack {self.plan.stack} has no gateway",
                remedy=f"add `gateway: {{service: NAME}}` to its config/{self.plan.stack}.yaml",
            )
        return GatewayClient(self.url(service), namespace, self.plan.gateway_token)

    def close(self) -> None:
        """Close the connections that were opened for its user; the stack itself goes on."""
        opened = self.__dict__.pop("gateway", None)
        if opened is not None:
            opened.close()

    def wait_until(
        self,
        condition: Callable[[], T],
        *,
        timeout: float,
        what: str,
        until: Callable[[T], object] = bool,
        failed: Callable[[T], object] | None = None,
        stall_after: float | None = None,
        progress: Callable[[T], object] = repr,
        steady_for: float = 0.0,
        retry_on: tuple[type[Exception], ...] = (),
        clock: Clock = CLOCK,
    ) -> T:
        """Wait as `stackproof.wait_until` does, and say how the services are if it fails.

        The arguments are the same.

        Raises:
            WaitFailed: With what was seen, the services that are not well and the last log lines.
        """
        try:
            return wait_until(
                condition,
                timeout=timeout,
                what=what,
                until=until,
                failed=failed,
                stall_after=stall_after,
                progress=progress,
                steady_for=steady_for,
                retry_on=retry_on,
                clock=clock,
            )
        except WaitFailed as error:
            error.observe(diagnose(self.running))
            raise
        except Exception as error:  # the condition's own
            error.add_note("\n".join(diagnose(self.running)))
            raise

    def dsn(self, service: str | None = None) -> str:
        """The URL of a PostgreSQL database, with user and password.

        Args:
            service: Name of the database service; None where the stack has only one.
        """
        name = service or self.database_service()
        settings = self._service_plan(name).environment
        return database_url(settings, self.endpoint(name))

    def database_service(self) -> str:
        """Name of the PostgreSQL service.

        Raises:
            ConfigError: If the stack has none, or several.
        """
        return only_database_service(self.plan)

    def rows(self, sql: str, *, service: str | None = None) -> list[dict[str, Any]]:
        """What a query gives, asked with the database server's own `psql`.

        Args:
            sql: A single SELECT (or a statement with RETURNING inside a CTE), without semicolon.
            service: Name of the database service; None where the stack has only one.

        Raises:
            CommandFailed: If the query fails, with the server's message.
        """
        name = service or self.database_service()
        wrapped = f"select coalesce(json_agg(t), '[]'::json) from ({sql}) t"  # noqa: S608 - the test's own query
        done = self.psql(["-At", "-c", wrapped], service=name)
        if done.exit_code:
            raise CommandFailed(
                f"the query failed in {name}", exit_code=done.exit_code, output=done.stderr.strip()
            )
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def psql(self, arguments: Sequence[str], *, service: str) -> CommandResult:
        """Run `psql` against the service's own database, without the user's psqlrc."""
        argv, environment = self.psql_command(arguments, service)
        return self.service(service).exec(argv, environment=environment)

    def psql_command(
        self, arguments: Sequence[str], service: str, *, database: str | None = None
    ) -> tuple[list[str], dict[str, str]]:
        """How `psql` is called in the surroundings of a database service.

        Args:
            arguments: Further arguments.
            service: Name of the database service.
            database: The database; None for the service's own one.

        Returns:
            The command, and the environment that it needs beside the service's own.
        """
        settings = self._service_plan(service).environment
        endpoint = self.endpoint(service)
        inside = endpoint.target if self.plan.engine == "compose" else endpoint.port
        host = endpoint.host if self.plan.engine == "attached" else "127.0.0.1"
        address = ["-h", host, "-p", str(inside)]
        who = ["-U", _user(settings), "-d", database or _database(settings)]
        argv = ["psql", "-Xv", "ON_ERROR_STOP=1", *address, *who, *arguments]
        return argv, {"PGPASSWORD": settings.get("POSTGRES_PASSWORD", "")}

    def _service_plan(self, name: str) -> ServicePlan:
        try:
            return self.plan.service(name)
        except KeyError:
            if self.plan.engine == "attached":
                raise NotAttached(
                    f"the service {name} is not attached",
                    remedy=f"set {_variable_of(name)} to its address",
                ) from None
            known = ", ".join(service.name for service in self.plan.services)
            raise ConfigError(
                f"the stack {self.plan.stack} has no service {name!r}",
                observed=f"its services: {known}",
                remedy="check the name; a service behind a profile needs --profile",
            ) from None


def only_database_service(plan: Plan) -> str:
    """Name of the PostgreSQL service of a stack.

    Raises:
        ConfigError: If the stack has none, or several.
    """
    found = [
        service.name
        for service in plan.services
        if any(one.scheme == DATABASE_SCHEME for one in service.endpoints)
    ]
    if len(found) == 1:
        return found[0]
    raise ConfigError(
        f"the stack {plan.stack} has {len(found)} PostgreSQL services, not one",
        remedy="name the one that is meant",
    )


def _variable_of(service: str) -> str:
    return f"STACKPROOF_ATTACHED_{service.upper().replace('-', '_').replace('.', '_')}"


def database_url(settings: Mapping[str, str], endpoint: Endpoint) -> str:
    """The URL of the database that the official image's variables describe.

    Args:
        settings: The environment of the database service (`POSTGRES_USER`, `POSTGRES_PASSWORD`,
            `POSTGRES_DB`).
        endpoint: Where the server is reached.
    """
    password = settings.get("POSTGRES_PASSWORD", "")
    secret = f":{quote(password, safe='')}" if password else ""
    who = f"{quote(_user(settings), safe='')}{secret}"
    return f"{DATABASE_SCHEME}://{who}@{endpoint.host}:{endpoint.port}/{_database(settings)}"


def _user(settings: Mapping[str, str]) -> str:
    return settings.get("POSTGRES_USER") or "postgres"


def _database(settings: Mapping[str, str]) -> str:
    return settings.get("POSTGRES_DB") or _user(settings)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="backslashreplace")
