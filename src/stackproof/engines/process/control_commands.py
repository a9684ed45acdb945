"""Commands that clients of the control socket have run in the surroundings of services."""

from __future__ import annotations

import asyncio
from typing import Any

from stackproof.engines.process.capture import LogFile
from stackproof.engines.process.control_connection import BadRequestError, Connection, Request
from stackproof.engines.process.place import Start
from stackproof.engines.process.service import Service
from stackproof.engines.process.supervision import Supervisor


async def run_command(
    supervisor: Supervisor, service: Service | None, connection: Connection, request: Request
) -> None:
    """Run a command for a client: lines while it runs, then its exit status.

    Args:
        supervisor: What runs it.
        service: In whose surroundings; None for only the request's own `env` and `cwd`.
        connection: The client.
        request: What it asks for.
    """
    log = LogFile(supervisor.folder / "logs" / f"{request['name']}.log", supervisor.redactor)
    lines: asyncio.Queue[str] = asyncio.Queue()
    log.on_line = lines.put_nowait
    running = asyncio.ensure_future(
        supervisor.commands.run(
            _start_of(service, request),
            service.place if service else None,
            log=log,
            seconds=request.get("seconds"),
            given=request.get("stdin"),
        )
    )
    await _while_it_runs(connection, running, lines)
    log.close()


async def _while_it_runs(
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


def _start_of(service: Service | None, request: Request) -> Start:
    environment = {**(service.spec.env if service else {}), **request.get("env", {})}
    is_its_own = service is not None and not request.get("cwd")
    cwd = service.spec.cwd if service is not None and is_its_own else str(request["cwd"])
    return Start(request["argv"], environment, cwd, request.get("uid"))


async def execute_command(
    supervisor: Supervisor, service: Service, connection: Connection, request: Request
) -> None:
    """Run a command for a client, connected to the streams that came with its request."""
    if len(connection.streams) != 3:  # noqa: PLR2004 - stdin, stdout, stderr
        raise BadRequestError("a command needs three streams")
    stdin, stdout, stderr = connection.streams
    start = _start_of(service, {**request, "cwd": "", "uid": service.spec.uid})
    try:
        await service.place.open()
        child = service.place.run(start, (stdin, stdout, stderr), service.group.joiner())
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
        await supervisor.commands.end_tree(child.pid)
    await connection.send({"done": True, "exit_code": child.ended.result() if ended else None})
