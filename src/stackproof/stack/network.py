"""The network between the services of a stack, and what a test does to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from stackproof.engines.network_faults import NetworkFault
from stackproof.errors import ConfigError

During = AbstractContextManager[None]
"""Ends a fault when a `with` block ends; without one, the fault stays until it is healed."""

MS = 1000.0
WHOLE = 100.0


class StackNetwork:
    """Breaks what two services say to each other, and heals it.

    Each fault holds for both directions, until `heal`, or the end of a `with` block:
    `with stack.network.cut("worker", "postgres"): …`.

    Args:
        names: The stack's services.
        disturb: Has the engine carry out a fault.
        faults: Keeps what is wrong now, by the two services that it is wrong between.
    """

    def __init__(
        self,
        names: frozenset[str],
        disturb: Callable[[NetworkFault], None],
        faults: dict[frozenset[str], NetworkFault],
    ) -> None:
        self._names = names
        self._disturb = disturb
        self._faults = faults

    def cut(self, one: str, other: str) -> During:
        """Let nothing pass between two services; open connections hang, as in a partition."""
        return self._during(NetworkFault("cut", one, other))

    def lose(self, one: str, other: str, percent: float) -> During:
        """Lose packets between two services.

        Args:
            one: A service.
            other: Another one.
            percent: How many in a hundred.
        """
        if not 0 < percent <= WHOLE:
            raise ConfigError(
                f"{percent:g} % of packets can't be lost", remedy="use a number up to 100"
            )
        return self._during(NetworkFault("lose", one, other, percent=percent))

    def delay(self, one: str, other: str, ms: float, jitter: float = 0.0) -> During:
        """Hold up the TCP connections between two services that are made from now on.

        Args:
            one: A service.
            other: Another one.
            ms: Milliseconds that everything takes longer, each way.
            jitter: Milliseconds by which that varies, up and down.
        """
        if ms < 0 or not 0 <= jitter <= ms:
            raise ConfigError(
                f"connections can't be held up for {ms:g} ms ± {jitter:g}",
                remedy="use times of 0 or more, and a jitter that is no longer than the delay",
            )
        return self._during(NetworkFault("pace", one, other, delay=ms / MS, jitter=jitter / MS))

    def slow(self, one: str, other: str, rate: float) -> During:
        """Bound what passes on TCP connections between two services that are made from now on.

        Args:
            one: A service.
            other: Another one.
            rate: Bytes a second, each way.
        """
        if rate <= 0:
            raise ConfigError(
                f"connections can't pass {rate:g} bytes a second", remedy="use a rate above 0"
            )
        return self._during(NetworkFault("pace", one, other, rate=rate))

    def heal(self, one: str = "", other: str = "") -> None:
        """Let nothing be wrong any more: between two services, with one, or at all."""
        fault = NetworkFault("heal", one, other)
        self._require(fault)
        self._end(fault)

    def _end(self, heal: NetworkFault) -> None:
        self._disturb(heal)
        healed = set(filter(None, (heal.one, heal.other)))
        for pair in [pair for pair in self._faults if healed <= pair]:
            del self._faults[pair]

    def _during(self, fault: NetworkFault) -> During:
        self._require(fault)
        if fault.one == fault.other:
            raise ConfigError(
                f"{fault.one} has no network to itself", remedy="name two different services"
            )
        self._disturb(fault)
        self._faults[frozenset((fault.one, fault.other))] = fault
        return _healed(lambda: self._end(replace(fault, kind="heal")))

    def _require(self, fault: NetworkFault) -> None:
        for name in filter(None, (fault.one, fault.other)):
            if name not in self._names:
                raise ConfigError(
                    f"the stack has no service {name}",
                    remedy=f"its services are {', '.join(sorted(self._names))}",
                )


@contextmanager
def _healed(heal: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    finally:
        heal()
