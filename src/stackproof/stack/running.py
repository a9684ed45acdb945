"""A running stack, as tests and tasks see it: addresses, services, logs, commands, faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from stackproof.engines.base import CommandResult, RunningPlan
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.timestamps import Moment
from stackproof.errors import (
    CommandFailed,
    ConfigError,
    NotAttached,
    ServiceEnded,
    StackproofError,
    WaitFailed,
)
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.stack.aliveness import require_alive
from stackproof.stack.diagnosis import diagnose
from stackproof.stack.network import StackNetwork
from stackproof.stack.postgres import (
    database_settings,
    database_url,
    only_database_service,
    own_address,
    psql_command,
    rows_as_json,
)
from stackproof.stack.service import ServiceHandle, no_such_service
from stackproof.waiting import WaitOptions, wait_until

if TYPE_CHECKING:
    from stackproof_gateway.client import GatewayClient
    from stackproof_gateway.client_lease import Lease

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Stack:
    """A running stack.

    Attributes:
        plan: What it was started from.
        running: The engine's side of it.
        kept: Folder of the files that a test leaves of it; None outside of tests.
        outlives_run: Whether it goes on after the test run that uses it. Scripts and faults that
            the run puts into its gateway are then removed when the run ends or is killed.
        ended: Services that were put out of action through a handle, and not started again.
        faults: What is wrong with its network now, by the two services that it is wrong between.
    """

    plan: Plan
    running: RunningPlan
    kept: Path | None = None
    outlives_run: bool = False
    ended: set[str] = field(default_factory=set, compare=False)
    faults: dict[frozenset[str], NetworkFault] = field(default_factory=dict, compare=False)
    _may_end: set[str] = field(default_factory=set, compare=False)

    def __repr__(self) -> str:
        names = ", ".join(service.name for service in self.plan.services)
        return f"<Stack {self.plan.project} ({self.plan.engine}): {names}>"

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
        restarted = tuple(self.plan.restarted_with([name]))
        return ServiceHandle(name, self.running, restarted, self.ended)

    @property
    def network(self) -> StackNetwork:
        """What its services say to each other, and how it is broken on purpose."""
        names = frozenset(service.name for service in self.plan.services)
        return StackNetwork(names, self.running.disturb, self.faults)

    def may_end(self, *names: str) -> None:
        """Say that services may end from now on, where a test ends them in a way of its own.

        Those that it stops or kills by their handle may end anyway.
        """
        self._may_end.update(names)

    def require_alive(self) -> None:
        """Make sure that no service has ended by itself.

        Raises:
            ServiceEnded: With its status and its last lines.
        """
        require_alive(self.running, may_end=self._may_end | self.ended)

    def endpoint(self, service: str, port: int | None = None) -> Endpoint:
        """Where a port of a service is reached.

        Args:
            service: Name of the service.
            port: The port inside the container; None where the service has only one.

        Raises:
            ConfigError: If the service has no such port.
        """
        for endpoint in self._service_plan(service).endpoints:
            if port in {None, endpoint.target}:
                return endpoint
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
            ConfigError: If the stack has no gateway, or the extra `gateway` is not installed.
        """
        return self.gateway_for("default")

    def gateway_for(self, namespace: str) -> GatewayClient:
        """A client of a namespace of its LLM gateway; the caller closes it.

        Args:
            namespace: Letters, digits, dots, - and _; `default` is what calls without one are in.

        Raises:
            ConfigError: If the stack has no gateway, or the extra `gateway` is not installed.
        """
        from stackproof.gateway import connect

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
        lease = self._gateway_lease if self.outlives_run else None
        return connect(self.url(service), namespace, self.plan.gateway_token, lease)

    @cached_property
    def _gateway_lease(self) -> Lease:
        from stackproof.gateway import lease_of

        return lease_of(self.url(str(self.plan.gateway_service)), self.plan.gateway_token)

    def close(self) -> None:
        """Close the connections that were opened for its user; the stack itself goes on."""
        for name in ("gateway", "_gateway_lease"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()

    def wait_until(self, condition: Callable[[], T], **options: Unpack[WaitOptions[T]]) -> T:
        """Wait as `stackproof.wait_until` does, and say how the services are if it fails.

        It fails as soon as a service has ended by itself.

        Args:
            condition: Called again and again.
            options: The other arguments of `stackproof.wait_until`.

        Raises:
            ServiceEnded: If a service ends meanwhile that the test did not end.
            WaitFailed: With what was seen, the services that are not well and the last log lines.
        """
        began = Moment()
        try:
            options.setdefault("watch", self.watch)
            return wait_until(condition, **options)
        except ServiceEnded:
            raise
        except WaitFailed as error:
            error.observe(diagnose(self.running, began.earliest()))
            raise
        except Exception as error:  # the condition's own
            error.add_note("\n".join(diagnose(self.running, began.earliest())))
            raise

    def watch(self) -> None:
        """Raise if a service has ended by itself; a stack that does not answer proves nothing."""
        try:
            self.require_alive()
        except ServiceEnded:
            raise
        except StackproofError:
            return

    def dsn(self, service: str | None = None) -> str:
        """The URL of a PostgreSQL database, with user and password.

        Args:
            service: Name of the database service; None where the stack has only one.
        """
        name = service or self.database_service()
        settings = database_settings(self._service_plan(name))
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
        done = self.psql(["-At", "-c", rows_as_json(sql)], service=name)
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
        settings = database_settings(self._service_plan(service))
        address = own_address(self.plan, self.endpoint(service))
        return psql_command(settings, address, arguments, database)

    def _service_plan(self, name: str) -> ServicePlan:
        try:
            return self.plan.service(name)
        except KeyError:
            if self.plan.engine == "attached":
                raise NotAttached(
                    f"the service {name} is not attached",
                    remedy=f"set {_variable_of(name)} to its address",
                ) from None
            raise no_such_service(self.plan, name) from None


def _variable_of(service: str) -> str:
    return f"STACKPROOF_ATTACHED_{service.upper().replace('-', '_').replace('.', '_')}"
