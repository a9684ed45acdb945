"""Asking a run's supervisor to break the network between containers."""

from __future__ import annotations

import json
import os
import socket
import sys
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from stackproof.engines.compose.faults.carrying_out import SOCKET
from stackproof.engines.compose.faults.namespaces import OTHER_WAY, refusal
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.process.socket_path import reachable
from stackproof.errors import Refused

SECONDS = 60.0
"""The Docker Engine is asked for two containers, and rules are set: that takes milliseconds."""


class Disturbing:
    """The caller's connection to a run's faults, which end with it.

    Args:
        folder: The run folder.
        engine: Address of the Docker Engine.
    """

    def __init__(self, folder: Path, engine: str) -> None:
        self._folder = folder
        self._engine = engine
        self._link: socket.socket | None = None
        self._pid = 0
        self._pairs: set[frozenset[str]] = set()

    def ask(self, fault: NetworkFault) -> None:
        """Have a fault carried out, or healed.

        Raises:
            Refused: If it can't be, with the reason.
        """
        what = f"asked for: {fault}"
        reason = refusal(sys.platform, os.geteuid(), self._engine)
        if reason:
            raise _refused(what, reason, OTHER_WAY)
        self._ask(vars(fault), what)
        self._note(fault)

    def renew(self, services: Sequence[str]) -> None:
        """Have services that were started again broken as before.

        Raises:
            Refused: If they can't be, with the reason.
        """
        if self._pairs:
            self._ask({"renew": list(services)}, f"started again: {', '.join(services)}")

    def _ask(self, request: Mapping[str, object], what: str) -> None:
        try:
            answer = self._asked(request)
        except OSError as error:
            self._link = None
            remedy = "start the stack anew: `invoke up --fresh`"
            reason = f"its supervisor does not answer: {error}"
            raise _refused(what, reason, remedy) from None
        if answer:
            raise _refused(what, answer["error"], answer["remedy"])

    def _note(self, fault: NetworkFault) -> None:
        """Keep the connection as long as there is something to heal."""
        named = {fault.one, fault.other} - {""}
        if fault.kind == "heal":
            self._pairs = {pair for pair in self._pairs if not named <= pair}
        else:
            self._pairs.add(frozenset(named))
        if not self._pairs and self._link is not None:
            self._link.close()
            self._link = None

    def _asked(self, request: Mapping[str, object]) -> dict[str, str]:
        if self._link is None or self._pid != os.getpid():  # a forked test process has its own
            self._link, self._pid = self._connected(), os.getpid()
            weakref.finalize(self, self._link.close)
        self._link.sendall(json.dumps(request).encode() + b"\n")
        received = b""
        while not received.endswith(b"\n"):
            data = self._link.recv(65536)
            if not data:
                raise ConnectionResetError("it has ended")
            received += data
        answer: dict[str, str] = json.loads(received)
        return answer

    def _connected(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(SECONDS)
        try:
            with reachable(self._folder / SOCKET) as address:
                link.connect(address)
        except OSError:
            link.close()
            raise
        return link


def _refused(what: str, reason: str, remedy: str) -> Refused:
    return Refused(
        "what these containers say to each other can't be disturbed",
        observed=f"{what}; {reason}",
        remedy=remedy,
    )
