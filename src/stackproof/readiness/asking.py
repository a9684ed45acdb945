"""Asking readiness probes, without a process of their own wherever that is possible."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from stackproof.readiness.probes import (
    AliveProbe,
    AllProbes,
    AmqpProbe,
    CommandProbe,
    HttpProbe,
    ListeningProbe,
    LogProbe,
    PostgresProbe,
    Probe,
    RedisProbe,
    SqlProbe,
    TcpProbe,
)

FIRST_BAD_STATUS = 400

REST_SECONDS = 0.2
"""How long the rest of an HTTP answer is waited for; only error texts show it."""

POSTGRES_PROTOCOL = 3 << 16
"""Version 3.0 as the startup packet has it (PostgreSQL documentation, "Message Formats")."""

AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
AMQP_START = b"\x00\x0a\x00\x0a"
"""Class and method of connection.start, after the seven bytes of the frame's own header."""

POSTGRES_NOT_READY = "57P"
"""Class of the SQLSTATEs "shutting down" and "cannot connect now" (appendix A)."""


async def _unknown() -> None:
    """Nothing is known of the ports that a service listens on."""


@dataclass(frozen=True)
class Surroundings:
    """What some probes need of the service that they ask.

    Attributes:
        run: Runs a command as the service, or as another one that is named, would; gives its exit
            status and output.
        has_written: Whether the service has written a line with a pattern since its start.
        alive_for: Seconds since its start.
        listening: TCP ports that it listens on, with whether others can reach each; None where that
            can't be seen.
    """

    run: Callable[[tuple[str, ...], str], Awaitable[tuple[int, str]]]
    has_written: Callable[[str], bool]
    alive_for: Callable[[], float]
    listening: Callable[[], Awaitable[Mapping[int, bool] | None]] = _unknown


async def ask(probe: Probe, around: Surroundings) -> str:
    """Ask a probe once.

    Args:
        probe: What to ask.
        around: The service's side of it.

    Returns:
        Why the service is not ready; empty if it is.
    """
    try:
        return await _ask(probe, around)
    except (OSError, EOFError, ValueError) as error:
        return _reason(error)


async def _ask(probe: Probe, around: Surroundings) -> str:
    match probe:
        case TcpProbe():
            answer = await _tcp(probe)
        case HttpProbe():
            answer = await _http(probe)
        case PostgresProbe():
            answer = await _postgres(probe)
        case RedisProbe():
            answer = await _redis(probe)
        case AmqpProbe():
            answer = await _amqp(probe)
        case CommandProbe() | SqlProbe():
            answer = await _by_command(probe, around)
        case LogProbe():
            seen = around.has_written(probe.pattern)
            answer = "" if seen else f"no line with /{probe.pattern}/ yet"
        case AliveProbe():
            left = probe.seconds - around.alive_for()
            answer = "" if left <= 0 else f"needs {left:.1f} s more uptime"
        case ListeningProbe():
            answer = _listening(probe, await around.listening())
        case _:
            answer = await _all(probe, around)
    return answer


async def _all(probe: AllProbes, around: Surroundings) -> str:
    for part in probe.probes:
        answer = await ask(part, around)
        if answer:
            return answer
    return ""


async def _by_command(probe: CommandProbe | SqlProbe, around: Surroundings) -> str:
    if isinstance(probe, SqlProbe):
        return _judged(*await around.run(probe.argv, probe.service))
    code, output = await around.run(probe.argv, "")
    return "" if code == 0 else f"exit status {code}: {output.strip() or 'no output'}"


def _judged(code: int, output: str) -> str:
    """Why the answer to a query does not show that a service is ready; empty if it does."""
    first = (output.strip().splitlines() or [""])[0]
    if code:
        return f"the query failed: {first or f'exit status {code}'}"
    if first.partition("|")[0] in {"", "f", "0"}:
        return f"the query gave {first!r}" if first else "the query gave no row"
    return ""


def _listening(probe: ListeningProbe, ports: Mapping[int, bool] | None) -> str:
    """Why a service can't be reached at any of some ports; empty where it can't be known."""
    if ports is None or any(ports.get(port) for port in probe.ports):
        return ""
    wanted = " or ".join(map(str, probe.ports))
    local = [str(port) for port in probe.ports if port in ports]
    if local:
        return f"listens on 127.0.0.1:{local[0]} alone, where nobody reaches it; bind 0.0.0.0"
    others = ", ".join(str(port) for port, is_reached in sorted(ports.items()) if is_reached)
    return f"listens on {others}, not on {wanted}" if others else f"nobody listens on {wanted} yet"


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nobody listens there"
    if isinstance(error, EOFError | ConnectionResetError):
        return "the connection was closed without an answer"
    return f"{type(error).__name__}: {error}"


async def _tcp(probe: TcpProbe) -> str:
    _, writer = await asyncio.open_connection(probe.host, probe.port)
    await _close(writer)
    return ""


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _exchange(host: str, port: int, sent: bytes, size: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(sent)
        await writer.drain()
        answer = await reader.read(size)
        if answer.startswith(b"HTTP/"):
            answer += await _rest(reader, size)
    finally:
        await _close(writer)
    if not answer:
        raise EOFError
    return answer


async def _rest(reader: asyncio.StreamReader, size: int) -> bytes:
    """What follows of an answer: the body may come later than the head, or never."""
    rest = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REST_SECONDS):
            while len(rest) < size and (more := await reader.read(size)):
                rest += more
    return rest


LONGEST_STATUS = 3


async def _http(probe: HttpProbe) -> str:
    parts = urlsplit(probe.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: stackproof\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    answer = await _exchange(parts.hostname or "", parts.port or 80, request.encode(), 4096)
    words = answer.split(b"\r\n", 1)[0].decode(errors="replace").split(" ", 2)
    if len(words) > 1 and len(words[1]) <= LONGEST_STATUS and words[1].isdecimal():
        body = answer.partition(b"\r\n\r\n")[2].decode(errors="replace").strip()
        return (
            ""
            if int(words[1]) < FIRST_BAD_STATUS
            else f"HTTP status {' '.join(words[1:])}: {body[:300]}"
        )
    return f"not an HTTP answer: {answer[:60]!r}"


async def _postgres(probe: PostgresProbe) -> str:
    fields = ["user", probe.user, "database", probe.database, "application_name", "stackproof"]
    body = struct.pack("!i", POSTGRES_PROTOCOL) + b"".join(f.encode() + b"\0" for f in fields)
    packet = struct.pack("!i", len(body) + 5) + body + b"\0"
    answer = await _exchange(probe.host, probe.port, packet, 4096)
    if answer[:1] == b"R":
        return ""
    if answer[:1] != b"E":
        return f"not a PostgreSQL answer: {answer[:60]!r}"
    parts = {chr(part[0]): part[1:].decode() for part in answer[5:].split(b"\0") if part}
    return parts.get("M", "") if parts.get("C", "").startswith(POSTGRES_NOT_READY) else ""


async def _redis(probe: RedisProbe) -> str:
    answer = await _exchange(probe.host, probe.port, b"PING\r\n", 512)
    if answer.startswith((b"+PONG", b"-NOAUTH", b"-WRONGPASS")):
        return ""
    return f"answered {answer[:60]!r} to PING"


async def _amqp(probe: AmqpProbe) -> str:
    answer = await _exchange(probe.host, probe.port, AMQP_HEADER, 512)
    return "" if answer[7:11] == AMQP_START else f"not an AMQP answer: {answer[:60]!r}"
