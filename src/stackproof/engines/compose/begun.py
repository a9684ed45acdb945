"""One service that is being started: what is known of it, and the wait until it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from docker.errors import APIError, DockerException

from stackproof.engines.compose.containers import (
    Containers,
    exit_code,
    has_completed,
    how_it_ended,
    last_check,
)
from stackproof.engines.compose.listening import ports_of
from stackproof.engines.compose.log_watch import LogWatch
from stackproof.errors import NoStack, NotReady, ServiceExited, StackproofError
from stackproof.plan.model import ServicePlan
from stackproof.readiness.asking import Surroundings
from stackproof.readiness.probes import ListeningProbe, LogProbe, Probe, parts_of
from stackproof.readiness.progress import Awaited
from stackproof.readiness.watching import HOPELESS_EXITS, HealthWatch
from stackproof_redaction import Redactor

SETTLE_SECONDS = 0.25
"""What a program without a check must live: one that can't even begin has ended by then."""

NO_LISTENER = (
    "if it is only slow, raise timeouts.start; if nothing is to listen there, say what shows that "
    "it is ready: `x-stackproof: {ready: {alive: 1}}` in the stack file"
)

SHOWN_LINES = 20
DOCKER_PAUSE = 0.5
"""Seconds after which Docker is asked again where its events have told nothing."""


@dataclass
class BegunService:
    """A service that is being started.

    Attributes:
        plan: The service.
        containers: The run's containers.
        redactor: Masks secrets.
        news: Set when an event tells something of its container.
        has_begun: Set when it runs.
        is_ready: Set when it is ready.
        has_engine: Whether the Docker Engine still tells its events.
        health: What Docker's own check says.
        deaths: How often its container has ended.
        began: Monotonic seconds of its start; 0 before.
        doing: What it waits for.
        answer: The last answer of its probe.
    """

    plan: ServicePlan
    containers: Containers
    redactor: Redactor
    news: asyncio.Event = field(default_factory=asyncio.Event)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    has_engine: bool = True
    health: str = ""
    deaths: int = 0
    began: float = 0.0
    doing: str = "waiting"
    answer: str = ""

    @property
    def awaited(self) -> Awaited:
        """It as one that is waited for."""
        return Awaited(self.plan.name, bool(self.began), self.answer or self.doing)

    def note(self, action: str) -> None:
        """Take what an event of Docker says of its container."""
        if action.startswith("health_status"):
            self.health = action.rpartition(" ")[2]
        elif action == "die":
            self.deaths += 1
        else:
            return
        self.news.set()

    async def until_ready(self, found: Mapping[str, Any]) -> float:
        """Wait until it is ready.

        Args:
            found: What inspecting its container gave after the start.

        Returns:
            The seconds that it took; 0 where nothing but its start shows that it is ready.

        Raises:
            StartFailed: If it can't become ready.
        """
        if (found["State"].get("Health") or {}).get("Status") == "healthy":
            self.health = "healthy"  # it ran before; no event will say so again
        if self.plan.one_shot:
            await self._until_completed()
        elif self.is_asked_by_docker(found):
            while self.health != "healthy":
                await self._pause(DOCKER_PAUSE)
        elif self.plan.probe is not None:
            await self._until_answered(self.plan.probe, found)
        else:
            await self._pause(SETTLE_SECONDS)
            await asyncio.to_thread(self.ensure_it_runs)
            return 0.0
        return time.monotonic() - self.began

    def is_asked_by_docker(self, found: Mapping[str, Any]) -> bool:
        """Whether Docker's own check is what shows that it is ready.

        That of the image tells more than that it listens.
        """
        has_check = found["Config"].get("Healthcheck", {}).get("Test", ["NONE"]) != ["NONE"]
        return has_check and isinstance(self.plan.probe, ListeningProbe | None)

    async def _until_completed(self) -> None:
        while True:
            state = (await asyncio.to_thread(self.containers.inspect, self.plan.name))["State"]
            if has_completed(state):
                return
            await self._pause(DOCKER_PAUSE)

    async def _until_answered(self, probe: Probe, found: Mapping[str, Any]) -> None:
        if not any(isinstance(part, LogProbe) for part in parts_of(probe)):
            await self._ask(probe, lambda _: False)
            return
        is_answered = False
        while not is_answered:  # once for each start of the container, since each has its own lines
            log = await self._watch_log(found)
            try:
                is_answered = await self._ask(probe, log.has, deaths=self.deaths)
            finally:
                log.close()
            found = await asyncio.to_thread(self.containers.inspect, self.plan.name)

    def surroundings(
        self, has_written: Callable[[str], bool], alive_for: Callable[[], float]
    ) -> Surroundings:
        """Its side of a probe."""
        return Surroundings(
            lambda argv, name: asyncio.to_thread(self._run_inside, argv, name or self.plan.name),
            has_written,
            alive_for,
            lambda: asyncio.to_thread(self._ports),
        )

    async def _ask(
        self, probe: Probe, has_written: Callable[[str], bool], *, deaths: int | None = None
    ) -> bool:
        """Ask until the answer is good, or (False) until it has died more often than that."""
        around = self.surroundings(
            lambda pattern: deaths in {None, self.deaths} and has_written(pattern),
            lambda: time.monotonic() - self.began,
        )
        watch = HealthWatch(probe, self.plan.timing, around, self._pause)
        checks = watch.checks()
        while self.health != "healthy":
            health = await anext(checks)
            self.answer = watch.answer
            if health == "unhealthy":
                raise self.not_ready(watch.asked_for)
            if deaths not in {None, self.deaths}:
                return False
            if health == "healthy":
                break
        return True

    async def _pause(self, seconds: float) -> None:
        """Let time pass until there is news; raises if they are bad."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.news.wait()
        if not self.news.is_set():
            return
        self.news.clear()
        if not self.has_engine:
            raise requests.ConnectionError("its stream of events has ended")
        if self.health == "unhealthy":
            raise self.not_ready(time.monotonic() - self.began)
        if self.deaths:
            await asyncio.to_thread(self.ensure_it_runs)

    def ensure_it_runs(self) -> None:
        """Raise if it has ended for good, or has ended too often.

        Raises:
            ServiceExited: With how it ended.
        """
        found = self.containers.inspect(self.plan.name)
        state, code = found["State"], exit_code(found["State"])
        if self.plan.one_shot and code == 0:
            return
        ended = state["Status"] in {"exited", "dead"}
        if (ended and not _starts_again(found, code)) or self.deaths >= HOPELESS_EXITS:
            times = f", {self.deaths} times in a row" if self.deaths > 1 else ""
            raise ServiceExited(
                self.plan.name,
                code=code,
                verdict=how_it_ended(found) + times,
                log_tail=self._tail(),
            )

    def not_ready(self, waited: float) -> NotReady:
        """The error for it after so many seconds."""
        answer = self.answer
        if not answer:
            with contextlib.suppress(DockerException, StackproofError):
                answer = last_check(self.containers.inspect(self.plan.name)["State"])
        return NotReady(
            self.plan.name,
            probe=str(self.plan.probe or "the image's own health check"),
            waited=waited,
            last_failure=self.redactor.text(answer) or self.doing,
            log_tail=self._tail() if self.began else [],
            remedy=NO_LISTENER if isinstance(self.plan.probe, ListeningProbe) else "",
        )

    def _run_inside(self, argv: Sequence[str], name: str) -> tuple[int, str]:
        api = self.containers.client.api
        try:
            container = self.containers.id_of(name)
        except NoStack as error:
            if name == self.plan.name:
                raise
            return 126, error.what
        try:
            made = api.exec_create(container, list(argv))
            output = api.exec_start(made["Id"])
            code = api.exec_inspect(made["Id"])["ExitCode"]
        except APIError as error:  # it is just being started again, for example
            return 126, str(error.explanation)
        return code or 0, output.decode(errors="replace").strip()

    def _ports(self) -> dict[int, bool] | None:
        found = self.containers.inspect(self.plan.name)
        is_up = found["State"]["Status"] == "running"
        return ports_of(self.containers.client.api, found) if is_up else {}

    async def _watch_log(self, found: Mapping[str, Any]) -> LogWatch:
        loop = asyncio.get_running_loop()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self.news.set)

        began, client = found["State"]["StartedAt"], self.containers.client
        return await asyncio.to_thread(LogWatch, client, found["Id"], began, tell)

    def _tail(self) -> list[str]:
        lines = list(self.containers.lines(self.plan.name, self.redactor, tail=SHOWN_LINES))
        return [line.text for line in lines[-SHOWN_LINES:]]


def _starts_again(found: Mapping[str, Any], code: int) -> bool:
    """Whether Docker starts a container again that has ended with a status."""
    policy = found["HostConfig"]["RestartPolicy"]
    most = policy.get("MaximumRetryCount") or 0
    in_bound = not most or found.get("RestartCount", 0) < most
    return policy["Name"] in {"always", "unless-stopped"} or (
        policy["Name"] == "on-failure" and code != 0 and in_bound
    )
