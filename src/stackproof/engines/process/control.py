"""The owner's side of the control socket: what commands and tests ask of a supervisor."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stackproof.engines.base import CommandResult, Say, ServiceStatus, Streams
from stackproof.engines.process.questions import Answer, Questions
from stackproof.engines.process.spec import ServiceSpec
from stackproof.errors import (
    NoStack,
    NotReady,
    PortTaken,
    ServiceExited,
    StackproofError,
    StartFailed,
    WaitTimeout,
)
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.run_folder import RunFolder

CONNECT_SECONDS = 10.0
"""How long a supervisor that was just started gets to open its socket."""


class Control:
    """Talks to the supervisor of a run.

    Args:
        run: The run.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run_folder = run
        self.questions = Questions(run)

    def wait_for_supervisor(self) -> None:
        """Wait until a supervisor that was just started answers.

        Raises:
            StartFailed: If it has ended, with what it wrote.
        """
        end = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                self.status()
            except NoStack:
                state = read_run(self.run_folder.path)
                if time.monotonic() > end or state is None or not state.is_alive:
                    raise self._start_failed() from None
                time.sleep(0.005)
            else:
                return

    def _start_failed(self) -> StartFailed:
        log = self.run_folder.path / "supervisor.log"
        text = log.read_text(errors="replace") if log.is_file() else ""
        return StartFailed(
            "the supervisor could not be started",
            observed=text[-2000:] or "it has ended and has written nothing",
            remedy="run `invoke doctor`, which looks at what it needs on this machine",
        )

    def _done(self, op: str, **fields: Any) -> Answer:
        *_, answer = self.questions.ask(op, **fields)
        return answer

    def configure(self, secrets: Sequence[str]) -> None:
        """Say which values must never be written."""
        self._done("configure", secrets=list(secrets))

    def start(self, specs: Sequence[ServiceSpec], *, replace: bool = False) -> None:
        """Add services and begin them; with `replace`, those that run already are stopped first."""
        op = "replace" if replace else "start"
        self._done(op, services=[spec.to_json() for spec in specs])

    def status(self) -> tuple[ServiceStatus, ...]:
        """What is known of each service."""
        return tuple(_status(one) for one in self._done("status")["services"])

    def details(self) -> dict[str, Answer]:
        """All that the supervisor knows of each service."""
        return {one["name"]: one for one in self._done("status")["services"]}

    def notices(self) -> list[str]:
        """What the supervisor could not do as it was told, such as limits."""
        services = self._done("status")["services"]
        return [f"{one['name']}: {notice}" for one in services for notice in one["notices"]]

    def wait_ready(
        self, timeout: float, say: Say, *, services: Sequence[str] = (), since: int = 0
    ) -> None:
        """Wait until services are ready, and tell the progress.

        Args:
            timeout: Seconds to wait at the most.
            say: Takes a line for each change, and for what is waited for.
            services: Which; none named stands for all.
            since: Number of the last event that is known already.

        Raises:
            StartFailed: As soon as one can't become ready, or the time is up, with the verdict.
        """
        began = time.monotonic()
        told = ""
        for answer in self.questions.ask("wait", services=list(services), since=since):
            waited = time.monotonic() - began
            if "event" in answer:
                say(f"{waited:6.1f} s  {_event_line(answer['event'])}")
            elif "verdict" in answer:
                raise _failure(answer["verdict"])
            elif "waiting" in answer and waited > timeout:
                raise _time_out(answer["waiting"], waited)
            elif "waiting" in answer:
                line = "; ".join(_waiting_line(one) for one in answer["waiting"])
                if line != told:
                    say(f"{waited:6.1f} s  waiting for {line}")
                    told = line

    def last_event(self) -> int:
        """Number of the newest event."""
        return int(self._done("events")["seq"])

    def stop(self, services: Sequence[str]) -> None:
        """Stop services."""
        self._done("stop", services=list(services))

    def start_services(self, services: Sequence[str]) -> None:
        """Begin services that were stopped."""
        self._done("start_services", services=list(services))

    def signal(self, services: Sequence[str], name: str, *, everything: bool = False) -> None:
        """Send a signal to the main process of services, or to every process of them."""
        self._done("signal", services=list(services), signal=name, all=everything)

    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        service: str = "",
        env: Mapping[str, str] | None = None,
        cwd: str = "",
        uid: int | None = None,
        stdin: str | None = None,
        seconds: float | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> CommandResult:
        """Run a command under the supervisor, its output kept as the log `name`.

        Args:
            name: Name of the log.
            argv: The command.
            service: Whose environment and folder it gets; empty for only `env` and `cwd`.
            env: Its environment, or what is added to the service's.
            cwd: Its folder.
            uid: User and group that it runs as.
            stdin: What it reads.
            seconds: After which it is ended.
            on_line: Takes each line of output.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
        """
        lines: list[str] = []
        answer: Answer = {}
        for answer in self.questions.ask(
            "run",
            name=name,
            argv=list(argv),
            service=service,
            env=dict(env or {}),
            cwd=cwd,
            uid=uid,
            stdin=stdin,
            seconds=seconds,
        ):
            if "line" in answer:
                lines.append(answer["line"])
                if on_line is not None:
                    on_line(answer["line"])
        if answer["exit_code"] is None:
            raise WaitTimeout(
                f"{name} ({' '.join(argv)})", waited=seconds or 0.0, trace=lines[-20:]
            )
        return CommandResult(answer["exit_code"], "\n".join(lines))

    def execute(
        self,
        service: str,
        argv: Sequence[str],
        streams: Streams,
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Run a command in a service's surroundings, connected to the caller's streams.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
            StackproofError: If it could not be started.
        """
        *_, answer = self.questions.ask(
            "execute",
            streams=[streams.stdin, streams.stdout, streams.stderr],
            service=service,
            argv=list(argv),
            env=dict(environment or {}),
            seconds=timeout,
        )
        if "failure" in answer:
            raise StackproofError(
                f"{argv[0]} could not be started in {service}", observed=answer["failure"]
            )
        if answer["exit_code"] is None:
            raise WaitTimeout(f"{' '.join(argv)} in {service}", waited=timeout or 0.0)
        return int(answer["exit_code"])

    def shut_down(self, seconds: float) -> bool:
        """Stop all services in order; tells whether they ended in time.

        Raises:
            NoAnswer: If the supervisor does not answer.
        """
        try:
            self._done("shutdown", within=seconds)
        except (NoStack, TimeoutError):
            return not self.run_folder.control_socket.exists()
        return True


def _status(one: Answer) -> ServiceStatus:
    return ServiceStatus(
        name=one["name"],
        state=one["state"],
        health=one["health"],
        pid=one["pid"],
        exit_code=one["exit_code"],
        restarts=one["restarts"],
        detail=_detail(one),
        ready_after=one["ready_after"],
    )


def _detail(one: Answer) -> str:
    if one["waiting_for"]:
        return f"waits for {one['waiting_for']}"
    if one["state"] in {"failed", "exited", "restarting"}:
        return str(one["verdict"])
    return str(one["last_answer"])


def _event_line(event: Answer) -> str:
    detail = f"  {event['detail']}" if event["detail"] else ""
    return f"{event['service']:<12} {event['kind']}{detail}"


def _waiting_line(one: Answer) -> str:
    detail = _detail(one)
    return f"{one['name']} ({detail or one['state']})"


def _failure(verdict: Answer) -> StartFailed:
    name, kind = verdict["name"], verdict["kind"]
    if kind == "port_taken":
        return PortTaken(name, port=verdict["port"], holder=verdict["holder"])
    if kind == "unhealthy":
        return _not_ready(verdict, verdict["asked_for"])
    times = verdict["exits_in_a_row"]
    repeated = f", {times} times in a row" if times > 1 else ""
    return ServiceExited(
        name,
        code=verdict["exit_code"],
        verdict=verdict["verdict"] + repeated,
        log_tail=verdict["tail"],
        remedy=f"its last lines stand above; `invoke logs --service {name}` has all of them",
    )


def _not_ready(one: Answer, waited: float) -> NotReady:
    return NotReady(
        one["name"],
        probe=one["probe"] or "started",
        waited=waited,
        last_failure=one["last_answer"] or _detail(one) or one["state"],
        log_tail=one["tail"],
        remedy="if it is only slow, raise timeouts.start (or the health check's start_period)",
    )


def _time_out(waiting: list[Answer], waited: float) -> NotReady:
    """The service to blame: one that has begun and is not ready, rather than one that waits."""
    begun = [one for one in waiting if one["state"] != "waiting"]
    return _not_ready((begun or waiting)[0], waited)
