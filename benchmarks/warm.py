"""Isolated stacks whose Python services are forked, against those whose services start anew."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import psutil

from benchmarks import results
from benchmarks.isolation import ROUNDS, WHAT, choice, memory_of, open_together, warm_up
from benchmarks.stack import SILENT, state_folder
from stackproof.isolation.isolated import IsolatedStack, open_stack
from stackproof.lifecycle import StackRequest
from stackproof.reaper.leftovers import read_run

STACKS = ("runs", "plans")
CROWDS = (8, 16)
FLOW_SECONDS = 60.0
AT_ONCE = 2


@dataclass(frozen=True)
class Round:
    """One stack: seconds of `up` and `down`, and processor time until it was ready."""

    up: float
    down: float
    processor: float


def warm_starts() -> None:
    """Fresh stacks in turn, several at once, and one after the other for a minute."""
    with state_folder() as state:
        for stack in STACKS:
            _in_turn(state, stack)
        _crowds(state)
        _flow(state)


def warm_choice(state: str, stack: str = "runs") -> StackRequest:
    """A stack of forked services, once `isolation.warm_up` has opened some."""
    return choice(state, "process", "auto", stack)


def timed_round(request: StackRequest) -> Round:
    """Open and close one stack."""
    began, before = time.monotonic(), _of_this_process()
    own = open_stack(request, SILENT)
    up = time.monotonic() - began
    processor = _of_this_process() - before + sum(map(_processor, _processes(own)))
    began = time.monotonic()
    own.close(SILENT)
    return Round(up, time.monotonic() - began, processor)


def _in_turn(state: str, stack: str) -> None:
    rounds: dict[str, list[Round]] = defaultdict(list)
    requests = {"warm": warm_choice(state, stack), "cold": choice(state, "process", "off", stack)}
    warm_up(requests["warm"])
    for number in range(ROUNDS):
        for name, request in requests.items():
            rounds[name].append(timed_round(request))
            print(f"round {number + 1}: {stack} {name} {rounds[name][-1]}", flush=True)
    for name, unit, bound, value in _values():
        results.write(
            f"warm-{stack}-{name.replace(' ', '-')}", f"{WHAT}, {stack}, warm: {name}",
            ours=[*map(value, rounds["warm"])], other=[*map(value, rounds["cold"])],
            unit=unit, bound=bound, other_is="the same with services that start anew",
        )  # fmt: skip


def _values() -> list[tuple[str, str, float | None, Callable[[Round], float]]]:
    return [
        ("up", "s", None, lambda one: one.up),
        ("up and down", "s", None, lambda one: one.up + one.down),
        ("processor time", "s", 1 / 5, lambda one: one.processor),
    ]


def _crowds(state: str) -> None:
    for size in CROWDS:
        seconds, memory = {}, {}
        for name, request in (
            ("warm", warm_choice(state)), ("cold", choice(state, "process", "off")),
        ):  # fmt: skip
            began = time.monotonic()
            stacks = open_together(request, size)
            seconds[name] = time.monotonic() - began
            shared = sum(_pss(one) for one in _own_children()) if name == "warm" else 0
            memory[name] = (shared + sum(map(memory_of, stacks))) / (1 << 20) / size
            for own in stacks:
                own.close(SILENT)
        for what, unit, found in (("seconds", "s", seconds), ("memory", "MiB", memory)):
            told = "" if unit == "s" else " each, fork servers included"
            results.write(
                f"warm-{size}-{what}", f"{size} isolated stacks at once, warm: {what}{told}",
                ours=[found["warm"]], other=[found["cold"]], unit=unit, bound=None,
                other_is="the same with services that start anew",
            )  # fmt: skip


def _flow(state: str) -> None:
    """Stacks opened and closed one after the other, two at a time, for a minute."""
    found = {}
    for name, request in (
        ("warm", warm_choice(state)), ("cold", choice(state, "process", "off")),
    ):  # fmt: skip
        end = time.monotonic() + FLOW_SECONDS
        with ThreadPoolExecutor(AT_ONCE) as threads:
            done = [*threads.map(lambda _, r=request, e=end: _until(e, r), range(AT_ONCE))]
        found[name] = FLOW_SECONDS / max(len([*chain(*done)]), 1)
    results.write(
        "warm-flow",
        f"an isolated stack opened and closed, {AT_ONCE} at a time for {FLOW_SECONDS:g} s, warm "
        f"({60 / found['warm']:.0f} a minute; started anew {60 / found['cold']:.0f})",
        ours=[found["warm"]], other=[found["cold"]], unit="s", bound=None,
        other_is="the same with services that start anew",
    )  # fmt: skip


def _until(end: float, request: StackRequest) -> list[float]:
    """Open and close stacks until a moment; when each was closed before it."""
    closed = []
    while time.monotonic() < end:
        open_stack(request, SILENT).close(SILENT)
        closed.append(time.monotonic())
    return [moment for moment in closed if moment <= end]


def _processes(own: IsolatedStack) -> list[psutil.Process]:
    reaper = psutil.Process(read_run(own.resolved.run.path).reaper.pid)
    return [reaper, *reaper.children(recursive=True)]


def _own_children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=False)


def _of_this_process() -> float:
    """Processor time of this process and of its fork servers."""
    return time.process_time() + sum(map(_processor, _own_children()))


def _processor(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:4])  # its own, and that of children that have ended
    except psutil.NoSuchProcess:
        return 0.0


def _pss(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.NoSuchProcess:
        return 0
