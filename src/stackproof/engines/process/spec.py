"""What the supervisor is told to run: the plan's services after the engine prepared them.

Plain standard library, since the supervisor loads it; sent over a socket as JSON and never written
to a file, because environments hold secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stackproof.readiness.probes import HealthTiming, Probe, probe_from_json, probe_to_json


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
        socket: Path of the Unix socket that it listens on in place of its first port, which a
            guard answers on then; empty where it listens itself.
        cpus: Upper bound of CPUs; None for no bound.
        memory: Upper bound of memory in bytes; None for no bound.
        pids: Upper bound of processes; None for no bound.
        tmpfs: Folders that hold no more than so much: path to size, as tmpfs(5) takes it.
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
    socket: str = ""
    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None
    tmpfs: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        value = {**vars(self), "timing": asdict(self.timing)}
        value["probe"] = None if self.probe is None else probe_to_json(self.probe)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ServiceSpec:
        """Read back what `to_json` gave."""
        probe = value["probe"]
        return cls(
            **{
                **value,
                "argv": tuple(value["argv"]),
                "ports": tuple(value["ports"]),
                "timing": HealthTiming(**value["timing"]),
                "probe": None if probe is None else probe_from_json(probe),
            }
        )
