"""The sensors of packs: programs that write one JSON object a line, each an event."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from automation.database import patiently
from automation.environments import EnvironmentFailedError, environment_of
from automation.models import Event, Sensor
from automation.records import add_event
from automation.states import SensorState
from automation.worker.programs import die_with_worker

log = logging.getLogger(__name__)

FIRST_BACKOFF = 0.5
TRIES = 5


async def enabled(session: AsyncSession) -> list[Sensor]:
    """The sensors that are to run."""
    return list((await session.scalars(select(Sensor).where(Sensor.enabled))).all())


async def tell_state(session: AsyncSession, ref: str, state: SensorState) -> None:
    """Write down how a sensor is."""
    await session.execute(update(Sensor).where(Sensor.ref == ref).values(status=state.value))


async def watch(sensor: Sensor) -> None:
    """Keep a sensor running; what ends again and again without telling anything has failed."""
    tries = 0
    while tries < TRIES:
        await patiently(tell_state, sensor.ref, SensorState.STARTING)
        try:
            has_told = await _run(sensor)
        except Exception:
            log.exception("sensor %s: what it wrote could not be told", sensor.ref)
            has_told = False
        tries = 1 if has_told else tries + 1
        backoff = FIRST_BACKOFF * 2 ** (tries - 1)
        await patiently(tell_state, sensor.ref, SensorState.BACKOFF)
        log.warning("sensor %s has ended; again in %.1f s", sensor.ref, backoff)
        await asyncio.sleep(backoff)
    await patiently(tell_state, sensor.ref, SensorState.FAILED)


async def _run(sensor: Sensor) -> bool:
    """Run a sensor until it ends; tells whether it has told any event."""
    try:
        environment = await environment_of(sensor.pack_ref)
    except EnvironmentFailedError as error:
        log.warning("sensor %s: %s", sensor.ref, error)
        return False
    process = await asyncio.create_subprocess_exec(
        environment.python,
        environment.folder / sensor.entry_point,
        env={"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
        stdin=DEVNULL,
        stdout=PIPE,
        preexec_fn=die_with_worker,
    )
    has_told = False
    try:
        await patiently(tell_state, sensor.ref, SensorState.RUNNING)
        assert process.stdout is not None
        async for line in process.stdout:
            has_told = await _tell(sensor, line) or has_told
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return has_told


async def _tell(sensor: Sensor, line: bytes) -> bool:
    try:
        payload = json.loads(line)
    except ValueError:
        log.warning("sensor %s wrote a line that is no JSON: %r", sensor.ref, line[:200])
        return False
    if not isinstance(payload, dict):
        log.warning("sensor %s wrote a line that is no JSON object: %r", sensor.ref, line[:200])
        return False
    key = f"{sensor.ref}:{payload.get('id', uuid.uuid4())}"
    with suppress(IntegrityError):  # told already
        await patiently(_add, sensor, key, payload)
    return True


async def _add(session: AsyncSession, sensor: Sensor, key: str, payload: dict[str, Any]) -> None:
    event = Event(key=key, trigger_ref=sensor.trigger_ref, trigger_params={}, payload=payload)
    await add_event(session, event)
