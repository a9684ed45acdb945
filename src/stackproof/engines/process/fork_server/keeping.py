"""Fork servers of this process: one for each program of a virtualenv, from its third start on.

The first start of a program notes what it imports, in a server that has imported nothing. After
the second one, what may be imported ahead is found out and imported, beside the tests; later copies
are forked from that. What was found out is kept in the cache.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from stackproof.engines.process.fork_server.approving import approve, compare
from stackproof.engines.process.fork_server.entry import Entry, entry_of
from stackproof.engines.process.fork_server.kept import SECONDS, Kept
from stackproof.engines.process.fork_server.known import (
    Approved,
    Known,
    finding_out,
    keep,
    kept,
    key_of,
    learn,
    learned,
    note,
)
from stackproof.engines.process.fork_server.preloading import OF_EACH_COPY
from stackproof.engines.process.spec import Forked, ServiceSpec
from stackproof.plan.runtime import AUTO, OFF

TIGHT = 256 << 20
"""Bytes of a limit of memory below which what copies share would matter."""

NOTHING_KNOWN = "it could not be found out what it imports"
NOTHING_AHEAD = "it imports nothing that is installed"
NO_SERVER = "its fork server could not be started"
NOT_YET = "its packages are not imported ahead yet"
ENDED = "its fork server ended while it imported"
CLOSED = "the session ends"

TOO_OFTEN = 2
"""Forks that have failed where new processes became ready: one may fail by chance."""

ROUNDS = 3
"""How often what is imported ahead is found out, while copies import more meanwhile."""

FROM = 2
"""The start of a program at which importing ahead begins: for one or two copies it costs more."""


@dataclass
class _Program:
    """What this process knows of one program."""

    key: str
    environment: dict[str, str]
    chosen: tuple[str, ...] = ()
    varying: set[str] = field(default_factory=set)
    starts: int = 0
    recorder: Kept | None = None
    server: Kept | None = None
    preparing: threading.Thread | None = None
    failures: list[str] = field(default_factory=list)
    cold: str = ""


@dataclass(frozen=True)
class Wanted:
    """A service that may be forked.

    Attributes:
        stack: Name of its stack, and the place of its files.
        preload: As `ServicePlan.preload`.
        secrets: Values that no server gets to know.
    """

    stack: str = ""
    preload: str | tuple[str, ...] = AUTO
    secrets: frozenset[str] = frozenset()


class ForkServers:
    """The fork servers of one process.

    Args:
        cache: Where it is kept what may be imported ahead.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._programs: dict[tuple[str, ...], _Program] = {}
        self._lock = threading.Lock()
        self._closed = False

    def forked(self, spec: ServiceSpec, virtualenv: Path, wanted: Wanted) -> ServiceSpec:
        """A service of Python that a server begins, where there is one for it.

        Args:
            spec: The service.
            virtualenv: Its virtualenv.
            wanted: What is asked of it.
        """
        entry = entry_of(spec.argv, virtualenv, spec.env)
        cold = why_cold(wanted.preload, one_shot=spec.one_shot, memory=spec.memory) or entry.cold
        if cold:
            note(self._cache, wanted.stack, spec.name, Known(cold=cold))
            return replace(spec, cold=cold)
        server, cold = self.server_for(spec.name, entry, spec.env, wanted)
        if not server:
            return replace(spec, cold=cold)
        forked = Forked(server, entry.script, entry.module, entry.arguments, entry.argv)
        return replace(spec, forked=forked)

    def server_for(
        self, service: str, entry: Entry, environment: Mapping[str, str], wanted: Wanted
    ) -> tuple[str, str]:
        """Name of the server that a copy of a program is forked by; empty, and why it starts anew.

        Args:
            service: The service.
            entry: Its program.
            environment: The copy's environment.
            wanted: What is asked of it.
        """
        shared = _without(environment, wanted.secrets)
        chosen = () if isinstance(wanted.preload, str) else wanted.preload
        with self._lock:
            name = (wanted.stack, service, str(entry.python), entry.name, *chosen)
            program = self._programs.get(name)
            if program is None:
                key = key_of(entry, shared, chosen)
                program = self._programs[name] = _Program(key, shared, chosen)
                note(self._cache, wanted.stack, service, Known(key))
            program.starts += 1
            _note_differences(program, environment)
            return ("", CLOSED) if self._closed else self._choose(entry, program)

    def _choose(self, entry: Entry, program: _Program) -> tuple[str, str]:
        self._look_after(program)
        if program.cold:
            return "", program.cold
        if program.server is not None and program.server.is_ready():
            return program.server.address, ""
        if program.preparing is None and program.starts >= FROM:
            program.preparing = threading.Thread(
                target=self._prepare, args=(entry, program), daemon=True
            )
            program.preparing.start()
        if program.starts > 1 or program.chosen or kept(self._cache, program.key) is not None:
            return "", NOT_YET
        recorder = program.recorder = _kept(entry, program.environment)
        ready = recorder is not None and recorder.is_ready(SECONDS)
        return (recorder.address, "") if recorder is not None and ready else ("", NOT_YET)

    def _look_after(self, program: _Program) -> None:
        """Hear what servers have to say, and let go of those that are of no use any more."""
        for one in (program.recorder, program.server):
            if one is not None:
                one.is_ready()
                program.failures += one.failures
                one.failures = []
        if len(program.failures) >= TOO_OFTEN and not program.cold:
            program.cold = program.failures[-1]
            keep(self._cache, program.key, Approved(cold=program.cold))
        server = program.server
        if server is None:
            return
        if server.faults and not program.cold:
            program.cold = "; ".join(server.faults)
        if server.has_ended and not server.was_ready:
            program.cold = program.cold or ENDED
        if server.has_ended or program.cold:
            server.close()
            program.server = program.preparing = None

    def _prepare(self, entry: Entry, program: _Program) -> None:
        """Find out what may be imported ahead, and have a server import it."""
        with self._lock:
            environment = {
                name: value
                for name, value in program.environment.items()
                if name not in program.varying
            }
            varying = sorted(program.varying)
        with finding_out(self._cache, program.key):
            approved = self._approve(entry, program, environment, varying)
            if approved.modules and not approved.compared and not self._closed:
                approved = compare(entry.python, environment, approved)
                keep(self._cache, program.key, approved)
        self._serve(entry, program, environment, approved)

    def _approve(
        self,
        entry: Entry,
        program: _Program,
        environment: Mapping[str, str],
        varying: Sequence[str],
    ) -> Approved:
        """What may be imported ahead, of all that is imported by the time that it is known."""
        approved = kept(self._cache, program.key) or Approved()
        for _ in range(ROUNDS):
            if program.recorder is not None:
                learn(self._cache, program.key, program.recorder.modules())
            names = program.chosen or learned(self._cache, program.key)
            if approved != Approved() and {*names} <= {*approved.examined}:
                break
            approved = approve(entry.python, environment, names, varying) if names else Approved()
            if approved == Approved():
                break
            keep(self._cache, program.key, approved)
        with self._lock:
            recorder, program.recorder = program.recorder, None
        if recorder is not None:
            recorder.close()
        return approved

    def _serve(
        self,
        entry: Entry,
        program: _Program,
        environment: Mapping[str, str],
        approved: Approved,
    ) -> None:
        """Have a server import what was approved."""
        with self._lock:
            known = approved != Approved()
            program.cold = program.cold or (approved.cold if known else NOTHING_KNOWN)
            if approved.modules and not program.cold and not self._closed:
                program.server = _kept(entry, environment, approved.modules)
                program.cold = "" if program.server is not None else NO_SERVER
            elif known and not program.cold:
                program.cold = NOTHING_AHEAD

    def close(self) -> None:
        """Let all of them end, and keep what their copies have imported beside what was ahead."""
        with self._lock:
            self._closed = True
            for program in self._programs.values():
                for one in (program.recorder, program.server):
                    if one is not None:
                        if one.is_ready() and not program.chosen:
                            learn(self._cache, program.key, one.modules())
                        one.close()
                program.recorder = program.server = None


def _kept(entry: Entry, environment: Mapping[str, str], modules: Sequence[str] = ()) -> Kept | None:
    """A fork server; None where there can't be another process."""
    with suppress(OSError):
        return Kept(entry.python, environment, modules)
    return None


def why_cold(preload: str | tuple[str, ...], *, one_shot: bool, memory: int | None) -> str:
    """Why a service starts anew, by what it is; empty where it may be forked.

    A one-shot would run twice if it failed. Memory that copies share does not count for their
    limits, until they write to it.

    Args:
        preload: As `ServicePlan.preload`.
        one_shot: Whether it is expected to end by itself.
        memory: Its limit in bytes.
    """
    if preload == OFF:
        return "`preload: off`"
    if one_shot:
        return "it is a one-shot"
    if (memory or TIGHT) < TIGHT:
        return f"its limit of memory is below {TIGHT >> 20} MB"
    return ""


def _without(environment: Mapping[str, str], secrets: frozenset[str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name not in OF_EACH_COPY and not any(secret in value for secret in secrets)
    }


def _note_differences(program: _Program, environment: Mapping[str, str]) -> None:
    names = program.environment.keys() | environment.keys()
    program.varying |= {
        name for name in names if program.environment.get(name) != environment.get(name)
    } - OF_EACH_COPY
