"""The TCP ports of one service: which of them it listens on itself, and who else does."""

from __future__ import annotations

import time
from collections.abc import Mapping

from stackproof.engines.process.listeners import holder_of, listening, socket_inodes
from stackproof.engines.process.own_processes import OwnProcesses
from stackproof.engines.process.spec import ServiceSpec

LOOK_PAUSE = 0.25
"""Seconds between two looks at all sockets of a service, which need its processes."""


class ServicePorts:
    """Looks at the sockets of one service.

    Args:
        spec: The service.
        processes: Its processes.
    """

    def __init__(self, spec: ServiceSpec, processes: OwnProcesses) -> None:
        self._spec = spec
        self._processes = processes
        self._known: frozenset[int] = frozenset()
        self._looked_at = 0.0

    def forget(self) -> None:
        """Begin anew, since the service does."""
        self._known, self._looked_at = frozenset(), time.monotonic()

    async def listening(self) -> Mapping[int, bool]:
        """Ports that the service itself listens on; others can reach them."""
        return dict.fromkeys(self._own(), True)

    def doubt(self) -> str:
        """Why the service is not reached on its ports though its probe says that it is ready."""
        inside, port = self.mistaken()
        return f"listens on {inside}, expected {port}" if inside else self.stranger()

    def stranger(self) -> str:
        """Who else answers on a port of the service; empty where that is not shown."""
        sockets = listening()
        taken = {port for port in sockets.values() if port in self._spec.ports}
        own = {sockets[inode] for inode in self._inodes() if inode in sockets} if taken else set()
        for port in sorted(taken - own):
            return f"a stranger answers on {port}: {holder_of(port)}"
        return ""

    def mistaken(self) -> tuple[int, int]:
        """The container port that it listens on instead of its port here, and that port; or 0, 0.

        Programs do so that were not told their port: it would never be ready.
        """
        own = self._own() if self._spec.container_ports else frozenset()
        if own and own.isdisjoint(self._spec.ports):
            for port, inside in zip(self._spec.ports, self._spec.container_ports, strict=True):
                if inside in own:
                    return inside, port
        return 0, 0

    def _own(self) -> frozenset[int]:
        now = time.monotonic()
        sockets = listening()
        news = set(sockets.values()) & set(self._spec.ports) - self._known
        if news or now - self._looked_at >= LOOK_PAUSE:
            self._known = frozenset(sockets[i] for i in self._inodes() if i in sockets)
            self._looked_at = now
        return self._known

    def _inodes(self) -> set[str]:
        return set(socket_inodes(process.pid for process in self._processes.find()))
