"""The owner's side of the control socket: what commands and tests ask of a supervisor."""

from __future__ import annotations

import socket
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import IO, Any

from stackproof.engines.base import Action, Command, CommandResult, Say, ServiceStatus, Streams
from stackproof.engines.events import Kind, ServiceEvent
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.process.questions import Answer, Questions
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.world.spec import RoomSpec
from stackproof.engines.receipt import Receipt
from stackproof.errors import (
    NoStack,
    NotReady,
    PortTaken,
    ServiceExited,
    StackproofError,
    StartFailed,
    WaitTimeout,
)
from stackproof.readiness.progress import Awaited, Progress
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.run_folder import RunFolder
from stackproof.waiting import reminding

KINDS: Mapping[str, Kind] = {
    "restarting": "ended", "exited": "ended", "failed": "ended", "running": "started",
    "stopped": "stopped", "paused": "paused", "healthy": "healthy", "unhealthy": "unhealthy",
}  # fmt: skip
"""The supervisor's events that tell something of a service that ran."""

LOG = "supervisor.log"
LAST_BYTES = 2000


class Control:
    """Talks to the supervisor of a run.

    Args:
        run: The run.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run_folder = run
        self.questions = Questions(run)
        self._held: dict[frozenset[str], socket.socket] = {}

    def wait_for_supervisor(self, say: Say = lambda _: None) -> None:
        """Wait until a supervisor that was just started answers, as long as it lives.

        Args:
            say: Takes a line where that takes long.

        Raises:
            StartFailed: If it has ended, with what it wrote.
        """
        with ExitStack() as opened:
            log = None
            with suppress(OSError):  # kept open, since the log goes with the run
                log = opened.enter_context((self.run_folder.path / LOG).open("rb"))
            with reminding(say, f"waiting for the supervisor of {self.run_folder.project}"):
                while not self._answers():
                    state = read_run(self.run_folder.path)
                    if state is None or not state.is_alive:
                        raise _start_failed(log)
                    time.sleep(0.005)

    def _answers(self) -> bool:
        try:
            self.status()
        except NoStack:
            return False
        return True

    def _done(self, op: str, **fields: Any) -> Answer:
        *_, answer = self.questions.ask(op, **fields)
        return answer

    def configure(
        self,
        secrets: Sequence[str],
        *,
        hermetic: bool = False,
        host_ports: Mapping[int, int] | None = None,
    ) -> None:
        """Say what holds for the whole stack.

        Args:
            secrets: Values that must never be written.
            hermetic: Whether its services reach nothing but each other, in a private world.
            host_ports: Ports that they reach at this machine's name → port of this machine.
        """
        ports = list((host_ports or {}).items())
        self._done("configure", secrets=list(secrets), hermetic=hermetic, host_ports=ports)

    def borrow(self, name: str, room: RoomSpec, ports: Mapping[int, int]) -> None:
        """Let a server of another run answer in the stack's own network.

        Args:
            name: The service that it is.
            room: Its place there.
            ports: Port that it is reached at there → its port of this machine.
        """
        pairs = [[target, port] for target, port in ports.items()]
        self._done("borrow", name=name, room=room.to_json(), ports=pairs)

    def disturb(self, fault: NetworkFault) -> None:
        """Let something be wrong between services, or right again.

        What is wrong ends with this process at the latest: it holds a connection for it.
        """
        pair = {fault.one, fault.other} - {""}
        if fault.kind != "heal":
            link = self.questions.hold("disturb", fault=vars(fault))
            self._let_go(lambda held: held == pair)
            self._held[frozenset(pair)] = link
            weakref.finalize(self, link.close)
        else:
            self._done("disturb", fault=vars(fault))
            self._let_go(lambda held: pair <= held)

    def _let_go(self, are_meant: Callable[[frozenset[str]], bool]) -> None:
        for pair in [pair for pair in self._held if are_meant(pair)]:
            self._held.pop(pair).close()

    def start(self, specs: Sequence[ServiceSpec]) -> None:
        """Add services and begin them."""
        self._done("start", services=[spec.to_json() for spec in specs])

    def replace(self, specs: Sequence[ServiceSpec], removed: Sequence[str]) -> None:
        """Start services anew, and remove others."""
        self._done("replace", services=[spec.to_json() for spec in specs], removed=list(removed))

    def status(self) -> tuple[ServiceStatus, ...]:
        """What is known of each service."""
        return tuple(_status(service) for service in self._done("status")["services"])

    def details(self) -> dict[str, Answer]:
        """All that the supervisor knows of each service."""
        return {service["name"]: service for service in self._done("status")["services"]}

    def notices(self) -> list[str]:
        """What the supervisor could not do as it was told, such as limits: each thing once."""
        concerned: dict[str, list[str]] = {}
        for service in self._done("status")["services"]:
            for notice in service["notices"]:
                concerned.setdefault(notice, []).append(service["name"])
        return [f"{', '.join(names)}: {notice}" for notice, names in concerned.items()]

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
        progress = Progress(say, timeout)
        for answer in self.questions.ask("wait", services=list(services), since=since):
            if "event" in answer:
                progress.tell(_event_line(answer["event"]))
            elif "verdict" in answer:
                raise _failure(answer["verdict"])
            elif "waiting" in answer:
                late = progress.overdue([_awaited(service) for service in answer["waiting"]])
                for service in answer["waiting"]:
                    if late is not None and service["name"] == late.name:
                        raise _not_ready(service, progress.waited)

    def last_event(self) -> int:
        """Number of the newest event."""
        return int(self._done("events")["seq"])

    def events(self, since: str) -> tuple[ServiceEvent, ...]:
        """What has happened to services since a moment."""
        told = (answer["event"] for answer in self.questions.ask("events", since=0)
                if "event" in answer)  # fmt: skip
        return tuple(
            ServiceEvent(
                event["at"],
                event["service"],
                KINDS[event["kind"]],
                event["detail"].partition("; again in ")[0],
            )
            for event in told
            if event["kind"] in KINDS and event["at"] >= since
        )

    def control(self, action: Action, services: Sequence[str], *, signal: str = "SIGKILL") -> None:
        """Start, stop, restart, kill, pause or unpause services; waits for nothing to be ready."""
        self._done("control", action=action, services=list(services), signal=signal)

    def run(
        self,
        name: str,
        command: Command,
        *,
        service: str = "",
        cwd: str = "",
        uid: int | None = None,
        stdin: str | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> CommandResult:
        """Run a command under the supervisor, its output kept as the log `name`.

        Args:
            name: Name of the log.
            command: The command.
            service: Whose environment and folder it gets; empty for only its own and `cwd`.
            cwd: Its folder.
            uid: User and group that it runs as.
            stdin: What it reads.
            on_line: Takes each line of output.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
        """
        lines: list[str] = []
        answer: Answer = {}
        for answer in self.questions.ask(
            "run", name=name, service=service, cwd=cwd, uid=uid, stdin=stdin, **_asked(command)
        ):
            if "line" in answer:
                lines.append(answer["line"])
                if on_line is not None:
                    on_line(answer["line"])
        if answer["exit_code"] is None:
            waited = command.timeout or 0.0
            raise WaitTimeout(f"{name} ({command})", waited=waited, trace=lines[-20:])
        return CommandResult(answer["exit_code"], "\n".join(lines))

    def execute(self, service: str, command: Command, streams: Streams) -> int:
        """Run a command in a service's surroundings, connected to the caller's streams.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
            StackproofError: If it could not be started.
        """
        *_, answer = self.questions.ask(
            "execute",
            streams=[streams.stdin, streams.stdout, streams.stderr],
            service=service,
            **_asked(command),
        )
        if "failure" in answer:
            raise StackproofError(
                f"{command.argv[0]} could not be started in {service}", observed=answer["failure"]
            )
        if answer["exit_code"] is None:
            raise WaitTimeout(f"{command} in {service}", waited=command.timeout or 0.0)
        return int(answer["exit_code"])

    def receipt(self, world: str, home: str) -> Receipt:
        """Try from inside each service what its surroundings let it do.

        Args:
            world: What the services see.
            home: The owner's home.
        """
        return Receipt.from_json(world, self._done("receipt", home=home))

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


def _start_failed(log: IO[bytes] | None) -> StartFailed:
    text = log.read().decode(errors="replace").strip() if log is not None else ""
    return StartFailed(
        "the supervisor could not be started",
        observed=text[-LAST_BYTES:] or "it ended and wrote nothing",
        remedy="run `invoke doctor`, which looks at what it needs on this machine",
    )


def _asked(command: Command) -> dict[str, Any]:
    return {
        "argv": list(command.argv),
        "env": dict(command.environment),
        "seconds": command.timeout,
    }


def _status(service: Answer) -> ServiceStatus:
    return ServiceStatus(
        name=service["name"],
        state=service["state"],
        health=service["health"],
        pid=service["pid"],
        exit_code=service["exit_code"],
        restarts=service["restarts"],
        detail=_detail(service),
        ready_after=service["ready_after"],
        start=service.get("start", ""),  # a supervisor of an earlier version has none
    )


def _detail(service: Answer) -> str:
    if service["waiting_for"]:
        return f"waits for {service['waiting_for']}"
    if service["state"] in {"failed", "exited", "restarting"}:
        return str(service["verdict"])
    return str(service["last_answer"])


def _event_line(event: Answer) -> str:
    detail = f"  {event['detail']}" if event["detail"] else ""
    return f"{event['service']:<12} {event['kind']}{detail}"


def _awaited(service: Answer) -> Awaited:
    doing = _detail(service) or service["state"]
    return Awaited(service["name"], service["state"] != "waiting", doing)


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
    )


def _not_ready(service: Answer, waited: float) -> NotReady:
    return NotReady(
        service["name"],
        probe=service["probe"] or "started",
        waited=waited,
        last_failure=service["last_answer"] or _detail(service) or service["state"],
        log_tail=service["tail"],
        **_remedy_of_port(service),
    )


def _remedy_of_port(service: Answer) -> dict[str, str]:
    """What to do where a program was not told its port; nothing where that is not the matter."""
    if not service["own_port"]:
        return {}
    setting = f"`ports: {{{service['name']}: {service['own_port']}}}`"
    return {
        "remedy": "name its port in its command, or in a variable such as PORT, in the stack "
        f"file; or write {setting} in the stack config, which gives it that port here"
    }
