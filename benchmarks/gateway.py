"""The gateway against a bare Starlette endpoint on the same server, and what it takes a call.

One process serves, on one core where the machine lets itself be pinned; the load comes from another
one: raw sockets, keep-alive, a fixed number of connections. Both servers are measured in turn.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

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


@contextmanager
def _served(code: str, *arguments: str) -> Iterator[int]:
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
        yield port
    finally:
        process.terminate()
        process.wait()


def gateway() -> None:
    """Time a call against a bare endpoint that sends the same bytes; p99; plain and streamed."""
    with _served(GATEWAY) as ours:
        plain = asyncio.run(_once(ours, _request(stream=False)))
        events = asyncio.run(_once(ours, _request(stream=True)))
        split = [one + "\n\n" for one in events.decode().split("\n\n") if one]
        with _served(BARE, plain.decode(), json.dumps(split)) as bare:
            _compare("plain", ours, bare, _request(stream=False))
            _compare("stream", ours, bare, _request(stream=True))


def _compare(form: str, ours: int, bare: int, request: bytes) -> None:
    rates: dict[int, list[float]] = {ours: [], bare: []}
    tails: dict[int, list[float]] = {ours: [], bare: []}
    for port in (ours, bare):
        asyncio.run(_load(port, request))
    for _ in range(ROUNDS):
        for port in (ours, bare):
            taken = sorted(asyncio.run(_load(port, request)))
            rates[port].append(len(taken) / SECONDS)
            tails[port].append(taken[int(len(taken) * 0.99)] * 1000)
    what = f"gateway, {form} chat completion, journal on, {CONNECTIONS} connections, one core"
    results.write(
        f"gateway-{form}", f"{what}: time of a call ({median(rates[ours]):.0f}/s)",
        ours=[1000 / rate for rate in rates[ours]], other=[1000 / rate for rate in rates[bare]],
        other_is=f"bare Starlette endpoint, same bytes ({median(rates[bare]):.0f}/s)",
        unit="ms", bound=1 / LEAST_SHARE,
    )  # fmt: skip
    results.write(
        f"gateway-{form}-p99", f"{what}: 99th percentile", ours=tails[ours], other=tails[bare],
        other_is="bare Starlette endpoint, same bytes", unit="ms", bound=2,
    )  # fmt: skip
