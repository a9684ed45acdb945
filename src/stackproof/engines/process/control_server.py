"""The supervisor's side of the control socket: one request a connection, answers as JSON lines.

The last line of an answer has `done`, or `error` with `what`, `observed` and `remedy`. Commands get
the caller's own streams by SCM_RIGHTS (unix(7)).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackproof.engines.process.capture import LogFile
from stackproof.engines.process.service import Service
from stackproof.engines.process.socket_path import reachable
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.verdicts import give_verdict, snapshot
from stackproof.reaper.port_claims import peer

if TYPE_CHECKING:
    from stackproof.engines.process.supervisor import Supervisor

CHUNK = 65536
LARGEST_REQUEST = 64 * 1024 * 1024
"""Bytes of a request; that of a stack with a thousand services has a few million."""

Request = dict[str, Any]


class BadRequestError(Exception):
    """A request can't be carried out; the text says why."""


_NOT_UNDERSTOOD = (
    BadRequestError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
    RecursionError,
)  # fmt: skip
"""What comes of a request that has not the form that it should have."""


class Connection:
    """One client with its one request.

    Args:
        loop: The running event loop.
        link: The connection.
        mask: Masks secrets in what is sent: answers end in terminals and artifacts.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        link: socket.socket,
        mask: Callable[[object], object],
    ) -> None:
        self.loop = loop
        self.link = link
        self.mask = mask
        self.streams: list[int] = []

    async def request(self) -> Request:
        """Read the request, and the streams that came with it."""
        received = bytearray()
        while not received.endswith(b"\n"):
            await self._readable()
            data, handles, _, _ = socket.recv_fds(self.link, CHUNK, 3)
            self.streams += handles
            if not data:
                raise BadRequestError("the request was cut off")
            received += data
            if len(received) > LARGEST_REQUEST:
                raise BadRequestError(f"it is larger than {LARGEST_REQUEST >> 20} MiB")
        value = json.loads(received)
        if not isinstance(value, dict):
            raise BadRequestError("a request is a JSON object")
        return value

    async def _readable(self) -> None:
        ready: asyncio.Future[None] = self.loop.create_future()
        self.loop.add_reader(self.link, _settle, ready)
        try:
            await ready
        finally:
            self.loop.remove_reader(self.link)

    async def send(self, answer: dict[str, object]) -> None:
        """Send one line."""
        masked = json.dumps(self.mask(answer)).encode()
        await self.loop.sock_sendall(self.link, masked + b"\n")

    async def gone(self) -> None:
        """Wait until the client has closed its side."""
        with contextlib.suppress(OSError):
            while await self.loop.sock_recv(self.link, CHUNK):
                pass

    def close(self) -> None:
        """Close the connection and the streams that came with it."""
        for handle in self.streams:
            os.close(handle)
        self.streams.clear()
        self.link.close()


async def _unknown(_connection: Connection, request: Request) -> None:
    raise BadRequestError(f"there is no operation {request.get('op')!r}")


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


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
        self._operations: dict[str, Callable[[Connection, Request], Awaitable[None]]] = {
            "ping": self._ping,
            "configure": self._configure,
            "start": self._start,
            "replace": self._replace,
            "status": self._status,
            "wait": self._wait,
            "events": self._events,
            "stop": self._stop,
            "start_services": self._start_services,
            "signal": self._signal,
            "run": self._run,
            "execute": self._execute,
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
        except _NOT_UNDERSTOOD as error:
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
        self.supervisor.configure([str(secret) for secret in request["secrets"]])
        await connection.send({"done": True})

    async def _start(self, connection: Connection, request: Request) -> None:
        self.supervisor.start([ServiceSpec.from_json(one) for one in request["services"]])
        await connection.send({"done": True})

    async def _replace(self, connection: Connection, request: Request) -> None:
        await self.supervisor.replace([ServiceSpec.from_json(one) for one in request["services"]])
        await connection.send({"done": True})

    async def _status(self, connection: Connection, _request: Request) -> None:
        services = [snapshot(one) for one in self.supervisor.services.values()]
        await connection.send({"done": True, "services": services})

    async def _wait(self, connection: Connection, request: Request) -> None:
        """Tell each change, and end with `done` or with the verdict as soon as there is one."""
        wanted = set(request["services"]) or set(self.supervisor.services)
        told = int(request.get("since", 0))
        while True:
            told = await self._tell_events(connection, told)
            chosen = [one for one in self.supervisor.services.values() if one.spec.name in wanted]
            if all(one.state.is_ready for one in chosen):
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
                snapshot(one) for one in self.supervisor.services.values() if not one.state.is_ready
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

    async def _stop(self, connection: Connection, request: Request) -> None:
        await asyncio.gather(*(service.stop() for service in self._chosen(request)))
        await connection.send({"done": True})

    async def _start_services(self, connection: Connection, request: Request) -> None:
        for service in self._chosen(request):
            service.start()
        await connection.send({"done": True})

    async def _signal(self, connection: Connection, request: Request) -> None:
        number = signal.Signals[str(request["signal"])]
        for service in self._chosen(request):
            if request.get("all"):
                await service.signal_all(number)
            else:
                service.signal(number)
            self.supervisor.changed(service, "signal", number.name)
            service.note_pause(number)
        await connection.send({"done": True})

    async def _run(self, connection: Connection, request: Request) -> None:
        """Run a command for a client: lines while it runs, then its exit status."""
        supervisor = self.supervisor
        log = LogFile(supervisor.folder / "logs" / f"{request['name']}.log", supervisor.redactor)
        lines: asyncio.Queue[str] = asyncio.Queue()
        log.on_line = lines.put_nowait
        running = asyncio.ensure_future(
            supervisor.run_command(
                request["argv"],
                env=self._environment(request),
                cwd=self._folder(request),
                uid=request.get("uid"),
                log=log,
                seconds=request.get("seconds"),
                given=request.get("stdin"),
            )
        )
        await self._while_it_runs(connection, running, lines)
        log.close()

    async def _while_it_runs(
        self,
        connection: Connection,
        running: asyncio.Future[int | None],
        lines: asyncio.Queue[str],
    ) -> None:
        goodbye = asyncio.ensure_future(connection.gone())
        try:
            while not (running.done() and lines.empty()):
                line = asyncio.ensure_future(lines.get())
                first = asyncio.FIRST_COMPLETED
                watched: set[asyncio.Future[Any]] = {running, line, goodbye}
                await asyncio.wait(watched, return_when=first)
                if goodbye.done():
                    raise ConnectionResetError
                if line.done():
                    await connection.send({"line": line.result()})
                else:
                    line.cancel()
            await connection.send({"done": True, "exit_code": running.result()})
        finally:
            goodbye.cancel()
            if not running.done():
                running.cancel()
                await asyncio.wait([running])

    def _environment(self, request: Request) -> dict[str, str]:
        base: dict[str, str] = {}
        if request.get("service"):
            (service,) = self._chosen({"services": [request["service"]]})
            base = dict(service.spec.env)
        return {**base, **request.get("env", {})}

    def _folder(self, request: Request) -> str:
        if request.get("cwd"):
            return str(request["cwd"])
        return self.supervisor.services[request["service"]].spec.cwd

    async def _execute(self, connection: Connection, request: Request) -> None:
        (service,) = self._chosen({"services": [request["service"]]})
        if len(connection.streams) != 3:  # noqa: PLR2004 - stdin, stdout, stderr
            raise BadRequestError("a command needs three streams")
        stdin, stdout, stderr = connection.streams
        try:
            child = self.supervisor.children.spawn(
                request["argv"],
                env=self._environment(request),
                cwd=service.spec.cwd,
                streams=(stdin, stdout, stderr),
                uid=service.spec.uid,
                before=service.group.joiner(),
            )
        except OSError as error:
            await connection.send({"done": True, "exit_code": 127, "failure": str(error)})
            return
        goodbye = asyncio.ensure_future(connection.gone())
        watched: set[asyncio.Future[Any]] = {child.ended, goodbye}
        try:
            await asyncio.wait(
                watched, timeout=request.get("seconds"), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            goodbye.cancel()
            ended = child.ended.done()
            await self.supervisor.end_tree(child.pid)
        await connection.send({"done": True, "exit_code": child.ended.result() if ended else None})

    async def _shutdown(self, connection: Connection, _request: Request) -> None:
        await self.supervisor.shut_down()
        await connection.send({"done": True})
