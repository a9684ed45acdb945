"""The sensor service: `python -m automation.sensor`."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from sqlalchemy.exc import IntegrityError

from automation import broker, service
from automation.broker import Body, Consumer
from automation.database import patiently, wait_for_tables
from automation.models import Sensor
from automation.records import EVENTS
from automation.sensor import timers, watched
from automation.settings import settings
from automation.states import SensorState

log = logging.getLogger(__name__)


class Sensing:
    """Follows the rules and sensors that are enabled."""

    def __init__(self) -> None:
        self._timers_changed = asyncio.Event()
        self._sensors_changed = asyncio.Event()
        self._watched: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Tell events until SIGTERM."""
        changes = Consumer(
            f"sensor.{settings().name}",
            self._changed,
            bind=(EVENTS, "configuration.changed"),
            is_temporary=True,
        )
        await service.run(
            [broker.consume([changes], self._ready), self._keep_time(), self._keep_watching()]
        )

    async def _ready(self) -> None:
        log.info("sensor service %s is ready", settings().name)
        await self._changed({})

    async def _changed(self, _: Body) -> None:
        self._timers_changed.set()
        self._sensors_changed.set()

    async def _keep_time(self) -> None:
        """Fire timers; what they are is asked anew at each poll, and after each change."""
        due: dict[float, float] = {}
        look_at = 0.0
        while True:
            if self._timers_changed.is_set() or time.monotonic() >= look_at:
                self._timers_changed.clear()
                due = await self._timers(due)
                look_at = time.monotonic() + settings().sensor_poll
            now = timers.now()
            for interval, tick in due.items():
                if tick <= now:
                    if now - tick <= settings().timer_grace:
                        await self._fire(interval, tick)
                    due[interval] = timers.next_tick(interval, tick)
            until = min(
                (tick - timers.now() for tick in due.values()), default=settings().sensor_poll
            )
            pause = min(until, look_at - time.monotonic())
            with suppress(TimeoutError):
                async with asyncio.timeout(max(pause, 0.0)):
                    await self._timers_changed.wait()

    async def _timers(self, due: dict[float, float]) -> dict[float, float]:
        now = timers.now()
        wanted = await patiently(timers.intervals)
        return {one: due.get(one) or timers.next_tick(one, now) for one in wanted}

    async def _fire(self, interval: float, tick: float) -> None:
        with suppress(IntegrityError):  # another sensor service was quicker
            await patiently(timers.fire, interval, tick)

    async def _keep_watching(self) -> None:
        """Start and end the sensors of packs as they are enabled and disabled."""
        while True:
            wanted = {sensor.ref: sensor for sensor in await patiently(watched.enabled)}
            for ref in set(self._watched) - set(wanted):
                await self._stop(ref)
            for ref in set(wanted) - set(self._watched):
                self._watch(wanted[ref])
            with suppress(TimeoutError):
                async with asyncio.timeout(settings().sensor_poll):
                    await self._sensors_changed.wait()
            self._sensors_changed.clear()

    def _watch(self, sensor: Sensor) -> None:
        self._watched[sensor.ref] = asyncio.create_task(watched.watch(sensor))

    async def _stop(self, ref: str) -> None:
        task = self._watched.pop(ref)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await patiently(watched.tell_state, ref, SensorState.STOPPED)


async def main() -> None:
    """Tell events until SIGTERM."""
    service.set_up_log()
    await wait_for_tables()
    await Sensing().run()


if __name__ == "__main__":
    asyncio.run(main())
