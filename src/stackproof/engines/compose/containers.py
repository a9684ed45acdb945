"""The containers of one run, by service, and what Docker says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from stackproof.engines.base import LogLine, ServiceStatus
from stackproof.engines.compose.labels import SERVICE
from stackproof.engines.compose.notes import Notes
from stackproof.engines.compose.takedown import containers_of
from stackproof.engines.process.capture import readable
from stackproof.errors import NoStack
from stackproof_redaction import Redactor

NO_CONTAINER = "its container was removed from outside"

STATES = {"created": "waiting", "removing": "stopped", "dead": "failed"}
"""Docker's words that differ from ours."""

LARGEST_SIGNAL = 128

PART = 16 * 1024
"""Bytes after which Docker cuts a line."""

MOST_PARTS = 64
MOST_SECONDS = 1.0
"""So many parts, written in so many seconds, a line may have and be whole among the last ones."""

_PART_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z ")
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z ?")


@dataclass(frozen=True)
class Containers:
    """The containers of one run.

    Attributes:
        client: The Docker Engine.
        run_id: Identity of the run.
        project: Name of the copy.
    """

    client: DockerClient
    run_id: str
    project: str

    def ids(self) -> Mapping[str, str]:
        """Service to container id."""
        return {
            container["Labels"][SERVICE]: container["Id"]
            for container in containers_of(self.client, self.run_id)
        }

    def id_of(self, service: str) -> str:
        """The container of a service.

        Raises:
            NoStack: If it has none.
        """
        found = self.ids().get(service)
        if found is None:
            raise NoStack(
                f"{service} of {self.project} has no container", remedy="start it with `invoke up`"
            )
        return found

    def inspect(self, service: str) -> dict[str, Any]:
        """All that Docker knows of a service's container."""
        found: dict[str, Any] = self.client.api.inspect_container(self.id_of(service))
        return found

    def inspect_all(self) -> dict[str, dict[str, Any]]:
        """The same of all services."""
        found = {}
        for service, container in self.ids().items():
            try:
                found[service] = self.client.api.inspect_container(container)
            except NotFound:
                continue
        return found

    def lines(
        self,
        service: str,
        redactor: Redactor,
        *,
        since: float | None = None,
        tail: int | None = None,
    ) -> Iterator[LogLine]:
        """What a service has written, in order.

        Args:
            service: Its name.
            redactor: Masks secrets.
            since: Only lines from about this time on, in seconds since the epoch; some come from
                before it, since Docker takes the parts of a long line for lines.
            tail: Only so many last lines of each stream.
        """
        container = self.ids().get(service)
        if container is None:
            return
        found: list[LogLine] = []
        for stream in ("out", "err"):
            data = self.client.api.logs(
                container, stdout=stream == "out", stderr=stream == "err", timestamps=True,
                since=None if since is None else since - MOST_SECONDS,
                tail="all" if tail is None else tail + MOST_PARTS,
            )  # fmt: skip
            stamped = [split_stamp(line) for line in joined_parts(data).split("\n")[:-1]]
            stamped = stamped if tail is None else stamped[max(len(stamped) - tail, 0) :]
            texts = [readable(text) for _, text in stamped]
            masked = redactor.lines(texts)
            for (at, _), text in zip(stamped, masked, strict=True):
                found.append(LogLine(at, service, stream, text))
        yield from sorted(found, key=lambda line: line.at)


def joined_parts(data: bytes) -> str:
    """What Docker gives as a log, with lines that it has cut into parts whole again.

    It writes a time before each part of 16 KiB, and no end of line behind it.

    Args:
        data: The log, each line with its time.
    """
    lines = [_joined(line) for line in data.split(b"\n")]
    text = b"\n".join(lines).decode(errors="replace")
    return text if text.endswith("\n") or not text else f"{text}\n"


def _joined(line: bytes) -> bytes:
    if len(line) <= PART:
        return line
    whole, begin = b"", 0
    while (stamp := _PART_STAMP.match(line, begin)) is not None:
        end = stamp.end() + PART
        whole += line[begin if not whole else stamp.end() : end]
        begin = end
    return whole + line[begin:]


def split_stamp(line: str) -> tuple[str, str]:
    """The time that Docker wrote before a line, with microseconds, and the line."""
    match = _STAMP.match(line)
    if match is None:
        return "", line
    return f"{match[1]}.{(match[2] or '')[:6]:0<6}Z", line[match.end() :]


def status_of(
    service: str, found: Mapping[str, Any], notes: Notes, *, one_shot: bool
) -> ServiceStatus:
    """What Docker knows of a container, in the words of every engine.

    Args:
        service: Name of the service.
        found: What inspecting it gave.
        notes: What was noted of it.
        one_shot: Whether it is expected to end.
    """
    state = found["State"]
    word = STATES.get(state["Status"], state["Status"])
    code = exit_code(state) if word in {"exited", "restarting"} else None
    if word == "exited" and notes.is_stopped(service):
        word = "stopped"
    elif word == "exited" and one_shot and code == 0:
        word = "completed"
    ready_after = notes.seconds_to_ready(service, state["StartedAt"])
    health = (state.get("Health") or {}).get("Status", "") if word == "running" else ""
    if word == "running" and health in {"", "none", "starting"}:
        health = "healthy" if ready_after is not None and has_check(found, ready_after) else ""
        if not health and ready_after is None:
            health = "starting"
    detail = ""
    if word in {"exited", "failed", "restarting"}:
        detail = how_it_ended(found)
    elif health == "unhealthy":
        detail = last_check(state)
    return ServiceStatus(
        name=service,
        state=word,
        health=health,
        pid=state.get("Pid") or None,
        exit_code=code,
        restarts=found.get("RestartCount", 0),
        detail=detail,
        ready_after=ready_after,
    )


def has_check(found: Mapping[str, Any], ready_after: float | None) -> bool:
    """Whether something showed that it is ready, rather than that it merely runs."""
    return bool(found["Config"].get("Healthcheck")) or bool(ready_after)


def exit_code(state: Mapping[str, Any]) -> int:
    """The exit status; negative is minus the number of the signal that ended it."""
    code = int(state["ExitCode"])
    return LARGEST_SIGNAL - code if LARGEST_SIGNAL < code < 2 * LARGEST_SIGNAL else code


def has_completed(state: Mapping[str, Any]) -> bool:
    """Whether it ran to a good end."""
    return state["Status"] == "exited" and exit_code(state) == 0


def how_it_ended(found: Mapping[str, Any]) -> str:
    """The end of a container in words, from what inspecting it gave."""
    state = found["State"]
    if state.get("OOMKilled"):
        limit = found["HostConfig"].get("Memory") or 0
        own = f" (its limit is {limit / (1 << 20):.0f} MiB)" if limit else ""
        return f"was killed: out of memory{own}"
    if state.get("Error"):
        return f"could not be started: {state['Error']}"
    code = exit_code(state)
    if code < 0:
        import signal

        names = {Signal.value: Signal.name for Signal in signal.Signals}
        return f"was ended by {names.get(-code, f'signal {-code}')}"
    return f"exited with status {code}"


def last_check(state: Mapping[str, Any]) -> str:
    """What the last health check said."""
    log = (state.get("Health") or {}).get("Log") or []
    return str(log[-1].get("Output", "")).strip() if log else ""
