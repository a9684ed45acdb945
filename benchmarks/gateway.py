"""The gateway against a bare Starlette endpoint on the same server, and what it takes a call.

One process serves, pinned to a core where the machine allows it; the load comes from another one:
raw sockets, keep-alive, a fixed number of connections. Both servers are measured in turn. What a
call costs is the processor time of the server, whose inverse is what one core can serve; the time
on the clock depends too much on what else a small machine does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import psutil

from benchmarks import results
from stackproof.reaper.port_claims import claim

ROUNDS = 5
CONNECTIONS = 16
SECONDS = 2.0
LEAST_SHARE = 0.6

PIN = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
"""
BARE = """
import json, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
PLAIN, EVENTS = json.loads(sys.argv[2]), [one.encode() for one in json.loads(sys.argv[3])]

async def chat(request):
    body = await request.json()
    if body.get("stream"):
        async def events():
            for one in EVENTS:
                yield one
        return StreamingResponse(events(), media_type="text/event-stream")
    return JSONResponse(PLAIN)

app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning", lifespan="off")
"""
GATEWAY = """
import sys
from stackproof.gateway.__main__ import main
sys.argv = ["gateway", "--port", sys.argv[1]]
main()
"""


def _request(*, stream: bool) -> bytes:
    body = json.dumps({
        "model": "gpt-4o-mini", "stream": stream,
        "messages": [{"role": "user", "content": "one two three four five six seven eight nine"}],
    }).encode()  # fmt: skip
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        "Authorization: Bearer sk-e2e-x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    assert head.startswith(b"HTTP/1.1 200"), head
    if b"transfer-encoding: chunked" in lower:
        content = b""
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            content += (await reader.readexactly(size + 2))[:-2]
            if size == 0:
                return content
    length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    return await reader.readexactly(length)


async def _load(port: int, request: bytes) -> list[float]:
    """The time that each call took, in seconds, in a while of load."""
    until = time.monotonic() + SECONDS
    taken: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            began = time.monotonic()
            writer.write(request)
            await _answer(reader)
            taken.append(time.monotonic() - began)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return taken


async def _once(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    content = await _answer(reader)
    writer.close()
    await writer.wait_closed()
    return content


@dataclass(frozen=True)
class Served:
    """A server that is measured."""

    port: int
    pid: int

    def processor_time(self) -> float:
        """Seconds of processor time that it has used; other load on the machine does not count."""
        used = psutil.Process(self.pid).cpu_times()
        return used.user + used.system


@contextmanager
def _served(code: str, *arguments: str) -> Iterator[Served]:
    held: list = []
    (port,) = claim(1, held)
    held[0].close()
    command = [sys.executable, "-c", PIN + code, str(port), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(500):
            try:
                asyncio.run(_once(port, _request(stream=False)))
                break
            except OSError:
                time.sleep(0.02)
        yield Served(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def gateway() -> None:
    """Processor time of a call against a bare endpoint that sends the same bytes, and p99."""
    with _served(GATEWAY) as ours:
        plain = asyncio.run(_once(ours.port, _request(stream=False)))
        events = asyncio.run(_once(ours.port, _request(stream=True)))
        split = [one + "\n\n" for one in events.decode().split("\n\n") if one]
        with _served(BARE, plain.decode(), json.dumps(split)) as bare:
            _compare("plain", ours, bare, _request(stream=False))
            _compare("stream", ours, bare, _request(stream=True))


def _compare(form: str, ours: Served, bare: Served, request: bytes) -> None:
    times: dict[Served, list[float]] = {ours: [], bare: []}
    tails: dict[Served, list[float]] = {ours: [], bare: []}
    for one in (ours, bare):
        asyncio.run(_load(one.port, request))
    for _ in range(ROUNDS):
        for one in (ours, bare):
            before = one.processor_time()
            taken = sorted(asyncio.run(_load(one.port, request)))
            times[one].append((one.processor_time() - before) / len(taken) * 1000)
            tails[one].append(taken[int(len(taken) * 0.99)] * 1000)
    what = f"gateway, {form} chat completion, journal on, {CONNECTIONS} connections"
    results.write(
        f"gateway-{form}", f"{what}: processor time of a call ({1000 / median(times[ours]):.0f}/s)",
        ours=times[ours], other=times[bare],
        other_is=f"bare Starlette endpoint, same bytes ({1000 / median(times[bare]):.0f}/s)",
        unit="ms", bound=1 / LEAST_SHARE,
    )  # fmt: skip
    results.write(
        f"gateway-{form}-p99", f"{what}: 99th percentile of the waiting time",
        ours=tails[ours], other=tails[bare], other_is="bare Starlette endpoint, same bytes",
        unit="ms", bound=2,
    )  # fmt: skip
