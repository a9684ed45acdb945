"""Starting containers in order, each as soon as its own dependencies allow, and seeing them ready.

Docker's events tell what happens to a container; its readiness is asked from outside where that is
possible, since an older Docker Engine checks only once in every interval.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from docker.errors import APIError, DockerException

from stackproof.engines.base import Say
from stackproof.engines.compose.begun import BegunService
from stackproof.engines.compose.connection import REMEDY
from stackproof.engines.compose.containers import Containers, has_completed
from stackproof.engines.compose.failures import start_failure
from stackproof.engines.compose.labels import RUN, SERVICE
from stackproof.engines.compose.notes import Notes
from stackproof.errors import EngineUnavailable, StackproofError
from stackproof.plan.model import Plan, ServicePlan
from stackproof.readiness.progress import Progress
from stackproof_redaction import Redactor

PROGRESS_SECONDS = 1.0
"""Seconds between two looks at what is waited for."""


class Starting:
    """One start of some services of a run.

    Args:
        containers: The run's containers.
        plan: The plan.
        notes: Where it is noted what was seen ready.
        say: Takes lines of progress.
    """

    def __init__(self, containers: Containers, plan: Plan, notes: Notes, say: Say) -> None:
        self.containers = containers
        self.api = containers.client.api
        self.plan = plan
        self.notes = notes
        self.say: Say = lambda line: say(self.redactor.text(line))
        self.redactor = Redactor(plan.secrets)
        self.services: dict[str, BegunService] = {}
        self.skips_completed = False

    def run(self, names: Sequence[str], seconds: float) -> None:
        """Start what does not run yet, and wait until all is ready.

        Args:
            names: The services; none named stands for all but those that are to end and have done
                so: nobody wants to migrate twice.
            seconds: How long to wait at the most.

        Raises:
            StartFailed: As soon as one can't become ready, or the time is up, with the verdict.
            EngineUnavailable: If the Docker Engine stops answering.
        """
        self.skips_completed = not names
        wanted = [service for service in self.plan.services if not names or service.name in names]
        try:
            asyncio.run(self._run(wanted, seconds))
        except* StackproofError as group:
            raise _first(group) from None
        except* (DockerException, requests.RequestException) as group:
            raise EngineUnavailable(
                "the Docker Engine stopped answering while the stack was being started",
                checked=[str(_first(group))],
                remedy=REMEDY,
            ) from None

    async def _run(self, wanted: Sequence[ServicePlan], seconds: float) -> None:
        self.services = {
            service.name: BegunService(service, self.containers, self.redactor)
            for service in wanted
        }
        progress = Progress(self.say, seconds)
        loop = asyncio.get_running_loop()
        events = self.api.events(decode=True, filters={"label": f"{RUN}={self.containers.run_id}"})
        following = threading.Thread(target=self._follow, args=(events, loop), daemon=True)
        following.start()
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch_time(progress))
                async with asyncio.TaskGroup() as starts:
                    for service in self.services.values():
                        starts.create_task(self._bring_up(service, progress))
                watch.cancel()
            for service in self.services.values():
                if service.deaths:  # after it was ready, while others were waited for
                    await asyncio.to_thread(service.ensure_it_runs)
        finally:
            with contextlib.suppress(Exception):  # the connection may be gone
                events.close()

    def _follow(self, events: Any, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(Exception):  # closing it from outside ends it
            for event in events:
                loop.call_soon_threadsafe(self._note_event, event)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._note_silence)

    def _note_silence(self) -> None:
        for service in self.services.values():
            service.has_engine = False
            service.news.set()

    def _note_event(self, event: Mapping[str, Any]) -> None:
        name = event.get("Actor", {}).get("Attributes", {}).get(SERVICE, "")
        service = self.services.get(name)
        if service is not None and event.get("Type") == "container":
            service.note(str(event.get("Action", "")))

    async def _watch_time(self, progress: Progress) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            waiting = [
                service for service in self.services.values() if not service.is_ready.is_set()
            ]
            late = progress.overdue([service.awaited for service in waiting])
            if late is not None:
                raise self.services[late.name].not_ready(progress.waited)

    async def _bring_up(self, service: BegunService, progress: Progress) -> None:
        name = service.plan.name
        for other, condition in service.plan.depends_on.items():
            service.doing = f"waits for {other}"
            await self._dependency(other, condition)
        service.doing = "starting"
        found = await asyncio.to_thread(self.containers.inspect, name)
        if self.skips_completed and service.plan.one_shot and has_completed(found["State"]):
            service.has_begun.set()
            service.is_ready.set()
            return
        is_news = not found["State"]["Running"]
        if is_news:
            progress.tell(f"{name:<12} starting")
        service.began = time.monotonic()
        found = await asyncio.to_thread(self._start, name)
        service.doing = "running"
        service.has_begun.set()
        seconds = await service.until_ready(found)
        found = await asyncio.to_thread(self.containers.inspect, name)
        started_at = found["State"]["StartedAt"]
        if self.notes.seconds_to_ready(name, started_at) is None:
            self.notes.ready(name, started_at, seconds)
        service.is_ready.set()
        if is_news:
            progress.tell(f"{name:<12} {'completed' if service.plan.one_shot else 'ready'}")

    async def _dependency(self, name: str, condition: str) -> None:
        known = self.services.get(name)
        if known is None:
            return  # not part of this start: it runs already, or was not asked for
        if condition == "service_started":
            await known.has_begun.wait()
        else:
            await known.is_ready.wait()

    def _start(self, name: str) -> dict[str, Any]:
        container = self.containers.id_of(name)
        try:
            self.api.start(container)
        except APIError as error:
            raise start_failure(self.plan.service(name), error, self.containers.client) from None
        found: dict[str, Any] = self.api.inspect_container(container)
        return found


def _first(group: BaseExceptionGroup[Any]) -> Exception:
    error: Any = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)  # noqa: S101 - for the type checker
    return error
