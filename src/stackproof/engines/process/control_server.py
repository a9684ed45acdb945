"""The supervisor's side of the control socket: one request a connection, answers as JSON lines.

The last line of an answer has `done`, or `error` with `what`, `observed` and `remedy`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.process.control_commands import execute_command, run_command
from stackproof.engines.process.control_connection import (
    NOT_UNDERSTOOD,
    BadRequestError,
    Connection,
    Request,
)
from stackproof.engines.process.receipt.taking import take
from stackproof.engines.process.service import Service
from stackproof.engines.process.socket_path import reachable
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.supervision import NETWORK, Supervisor
from stackproof.engines.process.verdicts import give_verdict, snapshot
from stackproof.engines.process.world.spec import RoomSpec
from stackproof.reaper.port_claims import peer


async def _unknown(_connection: Connection, request: Request) -> None:
    raise BadRequestError(f"there is no operation {request.get('op')!r}")


class ControlServer:
    """Answers clients.

    Args:
        supervisor: Whose services they ask about.
        path: Where the socket is.
    """

    def __init__(self, supervisor: Supervisor, path: Path) -> None:
        self.supervisor = supervisor
        self.path = path
        self._clients: set[asyncio.Task[None]] = set()
        self._holding: set[asyncio.Task[None]] = set()
        self._disturbing: dict[frozenset[str], Connection] = {}
        self._operations: dict[str, Callable[[Connection, Request], Awaitable[None]]] = {
            "ping": self._ping,
            "configure": self._configure,
            "borrow": self._borrow,
            "disturb": self._disturb,
            "start": self._start,
            "replace": self._replace,
            "status": self._status,
            "wait": self._wait,
            "events": self._events,
            "control": self._control,
            "run": self._run,
            "execute": self._execute,
            "receipt": self._receipt,
            "shutdown": self._shutdown,
        }

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with reachable(self.path) as address:
            listener.bind(address)
            Path(address).chmod(0o600)
        listener.listen(64)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        return listener

    async def serve(self) -> None:
        """Accept clients until cancelled."""
        listener = self._listen()
        loop = asyncio.get_running_loop()
        while True:
            link, _ = await loop.sock_accept(listener)
            link.setblocking(False)  # noqa: FBT003 - as above
            task = loop.create_task(self._answer(Connection(loop, link, self._mask)))
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)

    def _mask(self, answer: object) -> object:
        return self.supervisor.redactor.value(answer, numbers=False)

    async def finish(self) -> None:
        """Let the answers that are under way be sent."""
        if self._clients:
            await asyncio.wait(self._clients, timeout=1.0)

    def _refuse_strangers(self, connection: Connection) -> None:
        """Whoever could open the socket nevertheless, by its mode, is told no more than that."""
        _, uid = peer(connection.link)
        if uid not in {0, os.geteuid()}:
            raise BadRequestError(f"user {uid} has no right to ask")

    async def _answer(self, connection: Connection) -> None:
        try:
            self._refuse_strangers(connection)
            request = await connection.request()
            operation = self._operations.get(str(request.get("op")), _unknown)
            await operation(connection, request)
        except NOT_UNDERSTOOD as error:
            text = str(error) if isinstance(error, BadRequestError) else repr(error)
            with contextlib.suppress(OSError):
                await connection.send({"error": {"what": f"bad request: {text}"}})
        except OSError:
            pass  # the client has gone
        finally:
            connection.close()

    def _chosen(self, request: Request) -> list[Service]:
        services = self.supervisor.services
        unknown = [name for name in request["services"] if name not in services]
        if unknown:
            raise BadRequestError(f"the stack has no service {', '.join(unknown)}")
        return [services[name] for name in request["services"]]

    async def _ping(self, connection: Connection, _request: Request) -> None:
        await connection.send({"done": True})

    async def _configure(self, connection: Connection, request: Request) -> None:
        secrets = [str(secret) for secret in request["secrets"]]
        self.supervisor.configure(secrets)
        ports = {int(port): int(here) for port, here in request.get("host_ports", ())}
        try:
            await self.supervisor.networks.allow(
                hermetic=bool(request.get("hermetic")), host_ports=ports
            )
        except OSError as error:
            raise BadRequestError(str(error)) from error
        await connection.send({"done": True})

    async def _borrow(self, connection: Connection, request: Request) -> None:
        room = RoomSpec.from_json(request["room"])
        ports = {int(target): int(port) for target, port in request["ports"]}
        try:
            await self.supervisor.networks.borrow(str(request["name"]), room, ports)
        except OSError as error:
            raise BadRequestError(str(error)) from error
        await connection.send({"done": True})

    async def _disturb(self, connection: Connection, request: Request) -> None:
        fault = NetworkFault(**request["fault"])
        try:
            await self.supervisor.networks.disturb(fault)
        except OSError as error:
            raise BadRequestError(str(error)) from error
        self.supervisor.note(fault.one or NETWORK, "network", str(fault))
        pair = frozenset((fault.one, fault.other))
        if fault.kind != "heal":
            self._disturbing[pair] = connection
            await connection.send({"done": True})
            await self._heal_after(connection, pair)
            return
        for healed in [held for held in self._disturbing if pair - {""} <= held]:
            del self._disturbing[healed]
        await connection.send({"done": True})

    async def _heal_after(self, connection: Connection, pair: frozenset[str]) -> None:
        """End a fault with whoever has asked for it, unless somebody else has asked since."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        self._clients.discard(task)  # nobody waits for an answer any more
        self._holding.add(task)
        task.add_done_callback(self._holding.discard)
        await connection.gone()
        if self._disturbing.get(pair) is connection:
            del self._disturbing[pair]
            with contextlib.suppress(OSError):  # a service may have gone
                one, other = pair
                await self.supervisor.networks.disturb(NetworkFault("heal", one, other))

    async def _start(self, connection: Connection, request: Request) -> None:
        self.supervisor.start([ServiceSpec.from_json(service) for service in request["services"]])
        await connection.send({"done": True})

    async def _replace(self, connection: Connection, request: Request) -> None:
        specs = [ServiceSpec.from_json(service) for service in request["services"]]
        await self.supervisor.replace(specs, request["removed"])
        await connection.send({"done": True})

    async def _status(self, connection: Connection, _request: Request) -> None:
        services = [snapshot(service) for service in self.supervisor.services.values()]
        await connection.send({"done": True, "services": services})

    async def _wait(self, connection: Connection, request: Request) -> None:
        """Tell each change, and end with `done` or with the verdict as soon as there is one."""
        wanted = set(request["services"]) or set(self.supervisor.services)
        told = int(request.get("since", 0))
        while True:
            told = await self._tell_events(connection, told)
            chosen = [
                service
                for service in self.supervisor.services.values()
                if service.spec.name in wanted
            ]
            if all(service.state.is_ready for service in chosen):
                await connection.send({"done": True, "seq": told})
                return
            verdict = give_verdict(chosen, self.supervisor.services)
            if verdict is not None:
                await connection.send({"verdict": verdict, "done": True})
                return
            await self._next_change_or_goodbye(connection)

    async def _next_change_or_goodbye(self, connection: Connection) -> None:
        change = asyncio.ensure_future(self.supervisor.next_change())
        goodbye = asyncio.ensure_future(connection.gone())
        done, pending = await asyncio.wait(
            [change, goodbye], timeout=1.0, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        if goodbye in done:
            raise ConnectionResetError
        if change not in done:  # said once a second: what each one is waited for
            waiting = [
                snapshot(service)
                for service in self.supervisor.services.values()
                if not service.state.is_ready
            ]
            await connection.send({"waiting": waiting})

    async def _tell_events(self, connection: Connection, after: int) -> int:
        last = after
        for event in list(self.supervisor.events):
            number = int(str(event["seq"]))
            if number > after:
                await connection.send({"event": event})
                last = number
        return last

    async def _events(self, connection: Connection, request: Request) -> None:
        last = await self._tell_events(connection, int(request.get("since", 0)))
        await connection.send({"done": True, "seq": last})

    async def _control(self, connection: Connection, request: Request) -> None:
        action, services = str(request["action"]), self._chosen(request)
        if action in {"stop", "restart"}:
            await asyncio.gather(*(service.stop() for service in services))
        if action in {"start", "restart"}:
            for service in services:
                service.start()
        elif action != "stop":
            number = _signal_of(action, request)
            for service in services:
                await self._signal(service, number, for_all=action != "kill")
        await connection.send({"done": True})

    async def _signal(self, service: Service, number: signal.Signals, *, for_all: bool) -> None:
        if for_all or number == signal.SIGKILL:
            await service.processes.signal(number)
        else:
            service.signal(number)
        self.supervisor.changed(service, "signal", number.name)
        service.note_pause(number)

    async def _run(self, connection: Connection, request: Request) -> None:
        named = self._chosen({"services": [request["service"]] if request.get("service") else []})
        await run_command(self.supervisor, named[0] if named else None, connection, request)

    async def _execute(self, connection: Connection, request: Request) -> None:
        (service,) = self._chosen({"services": [request["service"]]})
        await execute_command(self.supervisor, service, connection, request)

    async def _receipt(self, connection: Connection, request: Request) -> None:
        try:
            found = await take(self.supervisor, str(request["home"]))
        except OSError as error:
            raise BadRequestError(f"no isolation receipt could be taken: {error}") from error
        await connection.send({"done": True, **found})

    async def _shutdown(self, connection: Connection, _request: Request) -> None:
        await self.supervisor.shut_down()
        await connection.send({"done": True})


def _signal_of(action: str, request: Request) -> signal.Signals:
    known = {"kill": str(request["signal"]), "pause": "SIGSTOP", "unpause": "SIGCONT"}
    if action not in known:
        raise BadRequestError(f"there is no action {action!r}")
    return signal.Signals[known[action]]
