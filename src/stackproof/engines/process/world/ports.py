"""The TCP ports that a service listens on in its own network.

Source: proc(5), /proc/PID/net/tcp shows the network namespace of that process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from stackproof.engines.process.spec import ServiceSpec
from stackproof.readiness.sockets import Listener, listeners


class RoomPorts:
    """Looks at the sockets of one service.

    Args:
        spec: The service.
        process: Gives one of its processes; 0 where there is none.
    """

    def __init__(self, spec: ServiceSpec, process: Callable[[], int]) -> None:
        self._published = dict(zip(spec.container_ports, spec.ports, strict=True))
        self._process = process

    def forget(self) -> None:
        """Nothing: nothing is kept."""

    async def listening(self) -> Mapping[int, bool]:
        """Its ports as this machine has them, with whether others can reach each."""
        return {
            self._published[port]: reachable
            for port, reachable in self._own().items()
            if port in self._published
        }

    def doubt(self) -> str:
        """Nothing: nobody else can be on its ports."""
        return ""

    def mistaken(self) -> tuple[int, int]:
        """None: it listens where its container would."""
        return 0, 0

    def _own(self) -> dict[int, bool]:
        found: dict[int, bool] = {}
        for listener in self._listeners():
            found[listener.port] = found.get(listener.port, False) or not listener.is_local
        return found

    def _listeners(self) -> Iterator[Listener]:
        process = self._process()
        for name in ("tcp", "tcp6") if process else ():
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{process}/net/{name}", encoding="ascii") as file,
            ):
                yield from listeners(file.read())
