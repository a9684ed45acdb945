"""Servers on one core, and the same load on each: raw sockets, keep-alive, some connections.

What a call costs is the processor time of the server, whose inverse is what one core can serve; the
time on the clock depends too much on what else a small machine does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import psutil

from benchmarks import results
from stackproof.reaper.port_claims import claim

ROUNDS = 5
CONNECTIONS = 16
SECONDS = 2.0
START_SECONDS = 180.0

PIN = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Runs a program on one core, threads and children included."""


def chat_request(*, stream: bool) -> bytes:
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


async def once(port: int, request: bytes) -> bytes:
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
        first = psutil.Process(self.pid)
        used = [one.cpu_times() for one in (first, *first.children(recursive=True))]
        return sum(one.user + one.system for one in used)


@contextmanager
def served(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """A server on one core, while it is measured.

    Args:
        command: What starts it; `PORT` in it stands for its port.
        environment: All its variables; None for those of this process.
    """
    held: list = []
    (port,) = claim(1, held)
    held[0].close()
    line = [one.replace("PORT", str(port)) for one in command]
    process = subprocess.Popen(
        [sys.executable, "-c", PIN, *line], stdout=subprocess.DEVNULL, env=environment
    )
    try:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                asyncio.run(once(port, chat_request(stream=False)))
                break
            except (OSError, asyncio.IncompleteReadError):
                assert process.poll() is None, f"{line} has ended by itself"
                time.sleep(0.1)
        yield Served(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def compare(
    names: Mapping[str, str], ours: Served, other: Served, other_is: str, *, share: float | None
) -> None:
    """Measure two servers in turn, plain and streamed.

    Args:
        names: What each form of call is called in the results.
        ours: The gateway.
        other: The other one.
        other_is: What that is.
        share: How much of the other's calls a second the gateway must serve at least; None for a
            comparison alone.
    """
    for form, name in names.items():
        request = chat_request(stream=form == "stream")
        times: dict[Served, list[float]] = {ours: [], other: []}
        tails: dict[Served, list[float]] = {ours: [], other: []}
        for one in (ours, other):
            asyncio.run(_load(one.port, request))
        for _ in range(ROUNDS):
            for one in (ours, other):
                before = one.processor_time()
                taken = sorted(asyncio.run(_load(one.port, request)))
                times[one].append((one.processor_time() - before) / len(taken) * 1000)
                tails[one].append(taken[int(len(taken) * 0.99)] * 1000)
        what = f"gateway, {form} chat completion, journal on, {CONNECTIONS} connections"
        results.write(
            name, f"{what}: processor time of a call ({1000 / median(times[ours]):.0f}/s)",
            ours=times[ours], other=times[other], unit="ms", bound=share and 1 / share,
            other_is=f"{other_is} ({1000 / median(times[other]):.0f}/s)",
        )  # fmt: skip
        results.write(
            f"{name}-p99", f"{what}: 99th percentile of the waiting time",
            ours=tails[ours], other=tails[other], other_is=other_is, unit="ms",
            bound=share and 1.2 / share,
        )  # fmt: skip
