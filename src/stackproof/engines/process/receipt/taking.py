"""Takes the receipt of a run: all probes in a process of each service, all services at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from dataclasses import replace
from functools import partial
from typing import Any

from stackproof.engines.process.receipt.attempts import UNTESTABLE
from stackproof.engines.process.receipt.probes import PROBES, run_all
from stackproof.engines.process.receipt.targets import Decoy, Targets
from stackproof.engines.process.service import Service
from stackproof.engines.process.supervision import Supervisor
from stackproof.engines.process.world.failures import error_of

SECONDS = 20.0
"""How long the probes of a service may take; they take milliseconds."""

RESOLVER = "127.0.0.11"
Found = dict[str, Any]


async def take(supervisor: Supervisor, home: str) -> Found:
    """Try from inside each service what its surroundings let it do.

    Args:
        supervisor: Whose services.
        home: The owner's home.

    Returns:
        Milliseconds, and a list of what each probe found by service; see `Receipt`.

    Raises:
        OSError: If the targets can't be made.
    """
    began = time.perf_counter()
    decoy = Decoy(str(supervisor.folder), home)
    process = supervisor.children.adopt(decoy.targets.pid)
    services = list(supervisor.services.values())
    shortfall = supervisor.networks.shortfall
    try:
        targets = [_as_seen_by(service, decoy.targets, shortfall) for service in services]
        found = await asyncio.gather(*map(_probe, services, targets))
    finally:
        decoy.end()
        await process.ended
    names = [service.spec.name for service in services]
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    return {"milliseconds": milliseconds, "services": dict(zip(names, found, strict=True))}


def _as_seen_by(service: Service, targets: Targets, shortfall: str) -> Targets:
    """The targets, with what a service knows of its own surroundings."""
    room = service.spec.room
    home = service.spec.env.get("HOME", "")
    if room is None:
        return replace(targets, home=home)
    has_network = bool(room.interfaces or room.joins)
    return replace(
        targets,
        home=home,
        gateways=tuple(one.gateway for one in room.interfaces if one.gateway),
        resolver=RESOLVER if has_network else "",
        shortfall=shortfall,
    )


async def _probe(service: Service, targets: Targets) -> list[Found]:
    """What each probe found; one that told nothing could not be tested."""
    lines: list[bytes] = []
    try:
        await service.place.open()
        lines, why = await _told(service, targets)
    except OSError as error:
        why = f"no process could be had in it: {error}"
    found = {one["probe"]: one for one in map(json.loads, lines)}
    return [found.get(name, _untestable(name, why)) for name in PROBES]


async def _told(service: Service, targets: Targets) -> tuple[list[bytes], str]:
    """The lines that a process of a service writes, and why there are no more."""
    reading, writing = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        child = service.place.call(partial(run_all, targets), (nothing, writing, writing))
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
        os.close(nothing)
    with os.fdopen(reading, "rb") as answers:  # a pipe holds all that is written
        await asyncio.wait([child.ended], timeout=SECONDS)
        in_time = child.ended.done()
        child.send(9)
        await child.ended
        lines = answers.read()
    *complete, rest = lines.split(b"\n")
    return complete, _why(rest, child.ended.result() if in_time else None)


def _why(rest: bytes, status: int | None) -> str:
    """Why a process has told no more.

    Args:
        rest: The end of what it has told, which is no whole line.
        status: Its exit status; None where it was ended.
    """
    if status is None:
        return "it took too long"
    with contextlib.suppress(ValueError, LookupError):  # it was cut off in a line of its own
        return str(error_of(rest, otherwise="try it").strerror)
    return f"its process ended with status {status}"


def _untestable(probe: str, why: str) -> Found:
    attempt = {"verdict": UNTESTABLE, "tried": "", "observed": why}
    return {"probe": probe, "verdict": UNTESTABLE, "attempts": [attempt]}
