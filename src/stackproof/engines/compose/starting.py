"""Starting containers in order, each as soon as its own dependencies allow, and seeing them ready.

Docker's events tell what happens to a container; its readiness is asked from outside where that is
possible, since an older Docker Engine checks only once in every interval.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from docker.errors import APIError, DockerException

from stackproof.engines.base import Say
from stackproof.engines.compose.connection import REMEDY
from stackproof.engines.compose.containers import Containers, exit_code, how_it_ended, last_check
from stackproof.engines.compose.failures import start_failure
from stackproof.engines.compose.labels import RUN, SERVICE
from stackproof.engines.compose.log_watch import LogWatch
from stackproof.engines.compose.notes import Notes
from stackproof.errors import EngineUnavailable, NotReady, ServiceExited, StackproofError
from stackproof.plan.model import Plan, ServicePlan
from stackproof.readiness.asking import Surroundings, ask
from stackproof.readiness.probes import AllProbes, CommandProbe, LogProbe, Probe
from stackproof.redaction import Redactor

FIRST_PAUSE = 0.02
PAUSE_GROWTH = 1.4
LONGEST_OUTSIDE = 0.1
"""Seconds between two checks that need no process in the container."""

HOPELESS_EXITS = 3
"""Ends in a row, without having been ready, after which a restart policy is given no more time."""

SETTLE_SECONDS = 0.25
"""What a program without a check must live: one that can't even begin has ended by then."""

SHOWN_LINES = 20
DEPENDENCY_PAUSE = 0.5
PROGRESS_SECONDS = 3.0


@dataclass
class _Service:
    """What is known of one service while it is being started."""

    plan: ServicePlan
    news: asyncio.Event = field(default_factory=asyncio.Event)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    health: str = ""
    deaths: int = 0
    began: float = 0.0
    doing: str = "waits for its turn"
    last_answer: str = ""


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
        self.say = say
        self.redactor = Redactor(plan.secrets)
        self.began = time.monotonic()
        self.services: dict[str, _Service] = {}
        self.is_silent = False

    def run(self, names: Sequence[str], seconds: float) -> None:
        """Start what does not run yet, and wait until all is ready.

        Args:
            names: The services; none named stands for all.
            seconds: How long to wait at the most.

        Raises:
            StartFailed: As soon as one can't become ready, or the time is up, with the verdict.
            EngineUnavailable: If the Docker Engine stops answering.
        """
        wanted = [one for one in self.plan.services if not names or one.name in names]
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
        self.services = {one.name: _Service(one) for one in wanted}
        loop = asyncio.get_running_loop()
        events = self.api.events(decode=True, filters={"label": f"{RUN}={self.containers.run_id}"})
        following = threading.Thread(target=self._follow, args=(events, loop), daemon=True)
        following.start()
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch_time(seconds))
                async with asyncio.TaskGroup() as starts:
                    for service in self.services.values():
                        starts.create_task(self._bring_up(service))
                watch.cancel()
            for service in self.services.values():
                if service.deaths:  # after it was ready, while others were waited for
                    await asyncio.to_thread(self._still_runs, service)
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
        self.is_silent = True
        for service in self.services.values():
            service.news.set()

    def _note_event(self, event: Mapping[str, Any]) -> None:
        name = event.get("Actor", {}).get("Attributes", {}).get(SERVICE, "")
        service = self.services.get(name)
        if service is None or event.get("Type") != "container":
            return
        action = str(event.get("Action", ""))
        if action.startswith("health_status"):
            service.health = action.rpartition(" ")[2]
        elif action == "die":
            service.deaths += 1
        else:
            return
        service.news.set()

    async def _watch_time(self, seconds: float) -> None:
        told = ""
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            waiting = [one for one in self.services.values() if not one.is_ready.is_set()]
            waited = time.monotonic() - self.began
            if waited > seconds and waiting:
                begun = [one for one in waiting if one.began]
                raise self._not_ready((begun or waiting)[0], waited)
            line = "; ".join(_waiting_line(one) for one in waiting)
            if line and line != told:
                self._tell(f"waiting for {line}")
                told = line

    def _tell(self, line: str) -> None:
        self.say(f"{time.monotonic() - self.began:6.1f} s  {self.redactor.text(line)}")

    async def _bring_up(self, service: _Service) -> None:
        name = service.plan.name
        for other, condition in service.plan.depends_on.items():
            service.doing = f"waits for {other}"
            await self._dependency(other, condition)
        service.doing = "is being started"
        self._tell(f"{name:<12} starting")
        service.began = time.monotonic()
        found = await asyncio.to_thread(self._start, name)
        service.doing = "runs"
        service.has_begun.set()
        if (found["State"].get("Health") or {}).get("Status") == "healthy":
            service.health = "healthy"  # it ran before; no event will say so again
        seconds = await self._until_ready(service, found)
        found = await asyncio.to_thread(self.containers.inspect, name)
        self.notes.ready(name, found["State"]["StartedAt"], seconds)
        service.is_ready.set()
        self._tell(f"{name:<12} {'completed' if service.plan.one_shot else 'ready'}")

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

    async def _until_ready(self, service: _Service, found: Mapping[str, Any]) -> float:
        plan = service.plan
        if plan.one_shot:
            await self._until_completed(service)
        elif plan.probe is not None:
            await self._until_answered(service, found)
        elif found["Config"].get("Healthcheck", {}).get("Test", ["NONE"]) != ["NONE"]:
            while service.health != "healthy":
                await self._pause(service, DEPENDENCY_PAUSE)
        else:
            await self._pause(service, SETTLE_SECONDS)
            await asyncio.to_thread(self._still_runs, service)
            return 0.0
        return time.monotonic() - service.began

    async def _until_completed(self, service: _Service) -> None:
        while True:
            state = (await asyncio.to_thread(self.containers.inspect, service.plan.name))["State"]
            if state["Status"] == "exited" and exit_code(state) == 0:
                return
            await self._pause(service, DEPENDENCY_PAUSE)

    async def _until_answered(self, service: _Service, found: Mapping[str, Any]) -> None:
        if not _reads_log(service.plan.probe):
            await self._ask_until_ready(service, lambda _: False)
            return
        log, deaths = await self._watch_log(service, found), service.deaths
        try:
            while not await self._ask_until_ready(service, log.has, deaths=deaths):
                log.close()
                found = await asyncio.to_thread(self.containers.inspect, service.plan.name)
                log, deaths = await self._watch_log(service, found), service.deaths
        finally:
            log.close()

    async def _ask_until_ready(
        self,
        service: _Service,
        has_written: Callable[[str], bool],
        *,
        deaths: int | None = None,
    ) -> bool:
        """Ask until the answer is good, or (False) until it has died more often than that."""
        plan, pause = service.plan, FIRST_PAUSE
        probe = plan.probe
        assert probe is not None  # noqa: S101 - for the type checker: the caller has looked
        longest = max(plan.timing.start_interval, FIRST_PAUSE)
        if not isinstance(probe, CommandProbe):
            longest = min(longest, LONGEST_OUTSIDE)
        around = Surroundings(
            lambda argv: asyncio.to_thread(self._check_inside, plan, argv),
            has_written,
            lambda: time.monotonic() - service.began,
        )
        while service.health != "healthy":
            try:
                answer = await asyncio.wait_for(ask(probe, around), plan.timing.timeout)
            except TimeoutError:
                answer = f"no answer within {plan.timing.timeout:g} s"
            service.last_answer = answer
            if not answer:
                break
            allowed = plan.timing.start_period + plan.timing.interval * plan.timing.retries
            waited = time.monotonic() - service.began
            if waited > allowed and not isinstance(probe, LogProbe):
                raise self._not_ready(service, waited)
            await self._pause(service, pause)
            pause = min(pause * PAUSE_GROWTH, longest)
            if deaths is not None and service.deaths > deaths:
                return False
        return True

    async def _pause(self, service: _Service, seconds: float) -> None:
        """Let time pass until there is news; raises if they are bad."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(service.news.wait(), seconds)
        if not service.news.is_set():
            return
        service.news.clear()
        if self.is_silent:
            raise requests.ConnectionError("its events have ended")
        if service.health == "unhealthy":
            raise self._not_ready(service, time.monotonic() - service.began)
        if service.deaths:
            await asyncio.to_thread(self._still_runs, service)

    def _still_runs(self, service: _Service) -> None:
        """Raise if a service has ended for good, or has ended too often.

        Raises:
            ServiceExited: With how it ended.
        """
        found = self.containers.inspect(service.plan.name)
        state, policy = found["State"], found["HostConfig"]["RestartPolicy"]["Name"]
        code = exit_code(state)
        if service.plan.one_shot and code == 0:
            return
        ended = state["Status"] in {"exited", "dead"}
        starts_again = policy in {"always", "unless-stopped"} or (policy == "on-failure" and code)
        if (ended and not starts_again) or service.deaths >= HOPELESS_EXITS:
            times = f", {service.deaths} times in a row" if service.deaths > 1 else ""
            raise ServiceExited(
                service.plan.name,
                code=code,
                verdict=how_it_ended(found) + times,
                log_tail=self._tail(service.plan.name),
                remedy=f"`invoke logs --service {service.plan.name}` has all of its lines",
            )

    def _check_inside(self, plan: ServicePlan, argv: Sequence[str]) -> tuple[int, str]:
        container = self.containers.id_of(plan.name)
        try:
            made = self.api.exec_create(container, list(argv))
            output = self.api.exec_start(made["Id"])
            code = self.api.exec_inspect(made["Id"])["ExitCode"]
        except APIError as error:  # it is just being started again, for example
            return 126, str(error.explanation)
        return code or 0, output.decode(errors="replace").strip()

    async def _watch_log(self, service: _Service, found: Mapping[str, Any]) -> LogWatch:
        loop = asyncio.get_running_loop()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(service.news.set)

        began, client = found["State"]["StartedAt"], self.containers.client
        return await asyncio.to_thread(LogWatch, client, found["Id"], began, tell)

    def _tail(self, name: str) -> list[str]:
        lines = list(self.containers.lines(name, self.redactor, tail=SHOWN_LINES))
        return [line.text for line in lines[-SHOWN_LINES:]]

    def _not_ready(self, service: _Service, waited: float) -> NotReady:
        name = service.plan.name
        answer = service.last_answer
        if not answer:
            with contextlib.suppress(DockerException, StackproofError):
                answer = last_check(self.containers.inspect(name)["State"])
        return NotReady(
            name,
            probe=str(service.plan.probe or "the image's own health check"),
            waited=waited,
            last_failure=self.redactor.text(answer) or service.doing,
            log_tail=self._tail(name) if service.began else [],
            remedy="if it is only slow, raise timeouts.start (or the health check's start_period)",
        )


def _reads_log(probe: Probe | None) -> bool:
    if isinstance(probe, AllProbes):
        return any(_reads_log(one) for one in probe.probes)
    return isinstance(probe, LogProbe)


def _waiting_line(service: _Service) -> str:
    """What a service waits for; of a long answer the end, where Python has the reason."""
    answer = (service.last_answer.strip().splitlines() or [""])[-1]
    return f"{service.plan.name} ({answer or service.doing})"


def _first(group: BaseExceptionGroup[Any]) -> Exception:
    error: Any = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)  # noqa: S101 - for the type checker
    return error
