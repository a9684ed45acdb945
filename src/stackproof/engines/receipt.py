"""The isolation receipt of a run: what services could do to their surroundings, as it was tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Literal

Verdict = Literal["enforced", "open", "untestable"]

MEANINGS: Mapping[str, str] = {
    "outside": "write a file outside its root",
    "programs": "change the machine's programs",
    "keys": "read the owner's ~/.ssh",
    "ports": "reach TCP ports of this machine",
    "published": "reach ports of other stacks",
    "names": "reach this machine's name servers",
    "abstract": "reach abstract sockets of this machine",
    "packets": "hear packets of this machine",
    "processes": "signal a process outside",
    "memory": "read the memory of a process outside",
    "shared_memory": "open shared memory outside",
    "devices": "make or open a device",
    "cgroups": "change control groups",
    "mounts": "mount a file system",
    "rights": "gain rights by a program",
    "sysctl": "write a sysctl of this machine",
}
"""Probe → what a service tries by it."""

HERMETIC = "write `hermetic: true`, which lets no connection and no name out"

REMEDIES: Mapping[str, str] = {
    "outside": "mount no folder of runs into a service",
    "keys": "mount neither the home nor its .ssh into a service",
    "ports": HERMETIC,
    "names": HERMETIC,
}
"""Probe → what closes it in a private world, where that is the user's to choose."""

HOST_REMEDY = "write `world: private`"


@dataclass(frozen=True)
class Attempt:
    """One way that was tried.

    Attributes:
        verdict: What became of it.
        tried: What was tried, in words.
        observed: What came back.
    """

    verdict: Verdict
    tried: str
    observed: str


@dataclass(frozen=True)
class Finding:
    """What one probe found in one service.

    Attributes:
        probe: A key of `MEANINGS`.
        verdict: `enforced` if every way was refused, `open` if one was not, else `untestable`.
        attempts: The ways that were tried.
    """

    probe: str
    verdict: Verdict
    attempts: tuple[Attempt, ...]

    @property
    def decisive(self) -> Attempt:
        """The first attempt that gave the verdict."""
        return next(one for one in self.attempts if one.verdict == self.verdict)


@dataclass(frozen=True)
class Receipt:
    """What was found in all services of a run.

    Attributes:
        world: What the services see: `private` or `host`.
        milliseconds: How long it took.
        services: Service → what each probe found, in the same order for all.
    """

    world: str
    milliseconds: float
    services: Mapping[str, tuple[Finding, ...]]

    @classmethod
    def from_json(cls, world: str, value: Mapping[str, Any]) -> Receipt:
        """Read what the supervisor has told."""
        services = {
            name: tuple(
                Finding(
                    one["probe"], one["verdict"], tuple(Attempt(**way) for way in one["attempts"])
                )
                for one in found
            )
            for name, found in value["services"].items()
        }
        return cls(world, float(value["milliseconds"]), services)

    def to_json(self) -> dict[str, Any]:
        """The receipt as plain JSON values."""
        return asdict(self)

    def with_services_of(self, other: Receipt, names: Sequence[str]) -> Receipt:
        """The same with some services of another run, which this one shares."""
        theirs = {name: found for name, found in other.services.items() if name in names}
        milliseconds = self.milliseconds + other.milliseconds
        world = self.world if self.world == other.world else "host"
        return Receipt(world, milliseconds, {**theirs, **self.services})

    @property
    def weak(self) -> tuple[str, ...]:
        """The probes that are not enforced in every service."""
        return tuple(probe for probe, by in self._by_probe().items() if set(by) != {"enforced"})

    def _by_probe(self) -> dict[str, dict[str, list[tuple[str, Finding]]]]:
        """Probe → verdict → the services with what was found there."""
        found: dict[str, dict[str, list[tuple[str, Finding]]]] = {}
        for name, findings in self.services.items():
            for one in findings:
                found.setdefault(one.probe, {}).setdefault(one.verdict, []).append((name, one))
        return found

    def rows(self, probes: Sequence[str] = ()) -> Iterator[tuple[str, str, str]]:
        """Lines of a table: verdict, what a service tries, what came back in the first one.

        Args:
            probes: Which; none named: all.
        """
        for probe, by in self._by_probe().items():
            for verdict in ("open", "untestable", "enforced"):
                if verdict in by and (not probes or probe in probes):
                    names = [name for name, _ in by[verdict]]
                    where = "" if len(by) == 1 else f" ({', '.join(names)})"
                    way = by[verdict][0][1].decisive
                    tried = f"{way.tried}: " if way.tried else ""
                    yield verdict, f"{MEANINGS.get(probe, probe)}{where}", f"{tried}{way.observed}"

    def lines(self) -> Iterator[str]:
        """The summary, and the table as text."""
        yield from (self.summary, "")
        rows = [*self.rows()]
        width = max((len(what) for _, what, _ in rows), default=0)
        for verdict, what, seen in rows:
            yield f"{verdict:<10}  {what:<{width}}  {seen}"

    @property
    def summary(self) -> str:
        """One line on all of it."""
        verdicts = [one.verdict for one in chain.from_iterable(self.services.values())]
        counts = ", ".join(
            f"{verdicts.count(verdict)} {verdict}" for verdict in ("enforced", "open", "untestable")
        )
        services = "1 service" if len(self.services) == 1 else f"{len(self.services)} services"
        return f"{self.world} world, {services}: {counts}; took {self.milliseconds:.0f} ms"

    def remedies(self) -> list[str]:
        """What would close what is not enforced, where that is the user's to choose."""
        if self.world == "host":
            return [HOST_REMEDY]
        found = (REMEDIES[probe] for probe in self.weak if probe in REMEDIES)
        return [*dict.fromkeys(found)]
