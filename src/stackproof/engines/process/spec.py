"""What the supervisor is told to run: the plan's services after the engine prepared them.

Plain standard library, since the supervisor loads it; sent over a socket as JSON and never written
to a file, because environments hold secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stackproof.engines.process.world.spec import RoomSpec
from stackproof.readiness.probes import HealthTiming, Probe, probe_from_json, probe_to_json


@dataclass(frozen=True)
class Forked:
    """How a fork server begins a service's program; see `fork_server.order.Order`.

    Attributes:
        server: Its address.
        script: Python file that the program is; empty for a module.
        module: Module that it is.
        arguments: What follows in the command.
        argv: The command as /proc shows it.
    """

    server: str
    script: str
    module: str
    arguments: tuple[str, ...]
    argv: tuple[str, ...]


@dataclass(frozen=True)
class ServiceSpec:
    """One service, ready to be started as a process.

    Attributes:
        name: Name of the service.
        argv: Program (absolute path) and arguments.
        env: The whole environment; nothing is inherited.
        cwd: Folder to start in.
        depends_on: Service → condition (`service_started`, `service_healthy`,
            `service_completed_successfully`).
        probe: What shows that it is ready; None means started is ready.
        timing: When the probe is asked.
        restart: `no`, `always`, `on-failure` or `unless-stopped`.
        max_retries: Bound of `on-failure`; None for no bound.
        stop_signal: Name of the signal that asks it to stop.
        stop_grace: Seconds between that signal and SIGKILL.
        one_shot: Expected to end by itself with status 0.
        uid: Numeric user and group to run as; None for the caller's.
        ports: Ports on 127.0.0.1 that it, and nobody else, must listen on.
        container_ports: The same ports as its container would have them.
        socket: Path of the Unix socket that it listens on in place of its first port, which a
            guard answers on then; empty where it listens itself.
        cpus: Upper bound of CPUs; None for no bound.
        memory: Upper bound of memory in bytes; None for no bound.
        pids: Upper bound of processes; None for no bound.
        tmpfs: Folders that hold no more than so much: path to size, as tmpfs(5) takes it.
        room: What it sees in a private world; None where it sees this machine.
        forked: The fork server that begins it in its room; None where it is started anew.
        cold: Why it is started anew though forks were asked for.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    depends_on: Mapping[str, str] = field(default_factory=dict)
    probe: Probe | None = None
    timing: HealthTiming = HealthTiming()
    restart: str = "no"
    max_retries: int | None = None
    stop_signal: str = "SIGTERM"
    stop_grace: float = 10.0
    one_shot: bool = False
    uid: int | None = None
    ports: tuple[int, ...] = ()
    container_ports: tuple[int, ...] = ()
    socket: str = ""
    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    room: RoomSpec | None = None
    forked: Forked | None = None
    cold: str = ""

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        value = {**vars(self), "timing": asdict(self.timing)}
        value["probe"] = None if self.probe is None else probe_to_json(self.probe)
        value["forked"] = None if self.forked is None else asdict(self.forked)
        value["room"] = None if self.room is None else self.room.to_json()
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ServiceSpec:
        """Read back what `to_json` gave."""
        probe, room, forked = value["probe"], value["room"], value["forked"]
        return cls(
            **{
                **value,
                "argv": tuple(value["argv"]),
                "ports": tuple(value["ports"]),
                "container_ports": tuple(value["container_ports"]),
                "timing": HealthTiming(**value["timing"]),
                "probe": None if probe is None else probe_from_json(probe),
                "room": None if room is None else RoomSpec.from_json(room),
                "forked": None if forked is None else _forked(forked),
            }
        )


def _forked(value: Mapping[str, Any]) -> Forked:
    lists = {name: tuple(value[name]) for name in ("arguments", "argv")}
    return Forked(**{**value, **lists})
