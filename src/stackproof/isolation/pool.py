"""A pool of stacks that are started ahead, while a test runs, and each given away once."""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from stackproof.waiting import Clock

T = TypeVar("T")

CORES_PER_START = 2
"""A stack in the making keeps about one processor busy, and the running test wants one as well."""

ROOM_BYTES = 1 << 30
"""Memory that must be free for a stack to be started ahead, where nothing else is set."""

CLOCK = Clock()


def pool_size(setting: int | None, *, cpus: int, workers: int) -> int:
    """How many stacks one process may have ready or in the making.

    None where there are more test processes than processors: those are busy without it.

    Args:
        setting: What the user says; None for the bound below.
        cpus: Processors that this process may use.
        workers: Test processes that share them.
    """
    if setting is not None:
        return setting
    return max(cpus // (CORES_PER_START * workers), int(workers <= cpus))


def usable_cpus() -> int:
    """Processors that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        return os.cpu_count() or 1


def has_room(needed: int | None) -> bool:
    """Whether there is memory for one more stack.

    Args:
        needed: Bytes that must be free; None for 1 GiB.
    """
    import psutil

    available: int = psutil.virtual_memory().available
    return available >= (ROOM_BYTES if needed is None else needed)


@dataclass(frozen=True)
class Taken(Generic[T]):
    """Something from the pool.

    Attributes:
        value: What was started.
        waited: Seconds that its taker has waited for it.
        ahead: Whether its start had begun before it was asked for.
    """

    value: T
    waited: float
    ahead: bool


@dataclass
class Pool(Generic[T]):
    """Starts things ahead in threads of its own, and ends them in another one.

    Attributes:
        size: How many may be ready or in the making at once; 0 starts nothing ahead.
        end_unused: Ends one that nobody will take.
        room: Whether another one may be started now.
        clock: Time.
    """

    size: int
    end_unused: Callable[[T], None]
    room: Callable[[], bool] = lambda: True
    clock: Clock = CLOCK
    _ready: dict[Hashable, deque[Future[T]]] = field(default_factory=dict)
    _ending: list[Future[None]] = field(default_factory=list)

    def prepare(self, wanted: Sequence[tuple[Hashable, Callable[[], T]]]) -> None:
        """Begin to start what will be needed next, as far as there is room.

        What was started for somebody who did not take it, and nobody else will, makes room.

        Args:
            wanted: Kinds in the order in which they will be taken, each with how to start one.
        """
        self._end_all_but(Counter(kind for kind, _ in wanted[: self.size]))
        counted: Counter[Hashable] = Counter()
        for kind, start in wanted[: self.size]:
            counted[kind] += 1
            there = len(self._ready.get(kind, ()))
            if there >= counted[kind]:
                continue
            if self.waiting >= self.size or not self.room():
                return
            self._ready.setdefault(kind, deque()).append(_in_thread(start))

    def _end_all_but(self, needed: Counter[Hashable]) -> None:
        for kind, futures in self._ready.items():
            while len(futures) > needed[kind]:
                self._ending.append(_in_thread(partial(self._end_started, futures.pop())))

    def _end_started(self, future: Future[T]) -> None:
        """End something when its start is over; what has failed to start has left nothing."""
        if future.exception() is None:
            self.end_unused(future.result())

    @property
    def waiting(self) -> int:
        """How many are ready or in the making, and not taken yet."""
        return sum(len(futures) for futures in self._ready.values())

    def take(self, kind: Hashable, start: Callable[[], T]) -> Taken[T]:
        """One of a kind, which nobody else gets; started now if none was begun.

        Raises:
            Exception: Whatever its start has raised.
        """
        before = self.clock.now()
        futures = self._ready.get(kind)
        ahead = bool(futures)
        value = futures.popleft().result() if futures else start()
        return Taken(value, self.clock.now() - before, ahead)

    def ready(self) -> list[T]:
        """Those that were started and not taken."""
        futures = (future for some in self._ready.values() for future in some)
        done = (future for future in futures if future.done())
        return [future.result() for future in done if future.exception() is None]

    def end(self, action: Callable[[], None]) -> None:
        """Run what ends a taken one, beside the tests.

        Raises:
            Exception: What an earlier one has raised meanwhile, so that it does not stay unknown
                until `close`, while more and more is left.
        """
        ending = [future for future in self._ending if not future.done()]
        failed = [
            future for future in self._ending if future.done() and future.exception() is not None
        ]
        self._ending = [*ending, *failed[1:], _in_thread(action)]
        if failed:
            failed[0].result()

    def close(self, *, seconds: float) -> list[BaseException]:
        """End all that nobody has taken, and wait for all that is ending.

        Args:
            seconds: How long to wait for each; what takes longer is left to its reaper.

        Returns:
            The errors of everything that did not end well.
        """
        self._end_all_but(Counter())
        ending, self._ending = self._ending, []
        return [error for future in ending if (error := _outcome(future, seconds)) is not None]


def _outcome(future: Future[None], seconds: float) -> BaseException | None:
    try:
        return future.exception(timeout=seconds)
    except TimeoutError as error:
        return error


def _in_thread(action: Callable[[], T]) -> Future[T]:
    """Run something in a thread that does not hold up the end of the process."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(action())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)

    threading.Thread(target=run, name="stackproof-pool", daemon=True).start()
    return future
