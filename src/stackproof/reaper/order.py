"""The order that an owner sends to its reaper: what to start, for whom, and where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from stackproof.reaper.sweep import ProcessId


class Order(NamedTuple):
    """All that a reaper has to know before it makes anything.

    Attributes:
        run_id: Identity of the run.
        project: Name of the copy of the stack.
        folder: The run folder.
        owner: The process whose death ends the run.
        argv: The supervisor's program, an absolute path, and its arguments.
        env: The supervisor's whole environment.
        private: Whether to try for a PID namespace.
        world: Whether the run has a private world: a user namespace, with all rights in it.
        docker_host: The Docker Engine that may have things of the run; empty for none.
        overlays: Copies of folders at their own paths, as `Overlays` takes them.
    """

    run_id: str
    project: str
    folder: str
    owner: ProcessId
    argv: tuple[str, ...]
    env: Mapping[str, str]
    private: bool
    world: bool
    docker_host: str
    overlays: Mapping[str, object]

    def to_line(self) -> bytes:
        """The order as one line of JSON."""
        return json.dumps(self._asdict()).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Order:
        """The order that `to_line` has written."""
        order = cls(**json.loads(line))
        return order._replace(owner=ProcessId(*order.owner))
