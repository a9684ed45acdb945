"""An isolated stack, migrated and seeded, against peers and floors, in turn in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from benchmarks import results
from benchmarks.containers import PEER, model_of, write_peer_model
from benchmarks.stack import ROOT, SILENT, alone, state_folder
from stackproof import lifecycle
from stackproof.engines.process.fork_server.keeping import NOT_YET
from stackproof.isolation.isolated import IsolatedStack, open_stack
from stackproof.lifecycle import StackRequest
from stackproof.reaper.leftovers import read_run
from stackproof.waiting import Deadline

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "10"))
PEERS = ("testcontainers", "pytest-docker", "compose")
LOCK = ROOT / "requirements/bench-peers.txt"
CROWDS = (1, 2, 4, 8, 16)
POOL_TESTS = 11
WARM_SECONDS = 600.0
"""What it may take until all services are forked that can be."""

WHAT = "fresh isolated stack, migrated and seeded"

Times = dict[str, dict[str, list[float]]]


def isolated_stacks() -> None:
    """Fresh stacks of the reference system: ours on both engines, and three peers."""
    times: Times = defaultdict(lambda: defaultdict(list))
    with state_folder() as state, tempfile.TemporaryDirectory() as folder:
        python = peers_environment(Path(folder))
        model = peer_model(state, Path(folder))
        for engine in ("process", "compose"):  # so that both snapshots are there
            open_stack(choice(state, engine), SILENT).close(SILENT)
        warm_up(choice(state, "process", "auto"))
        for number in range(ROUNDS):
            for name, measure in _kinds(state, python, model).items():
                up, down = measure()
                times[name]["up"].append(up)
                times[name]["down"].append(down)
                print(f"round {number + 1}: {name} up {up:.2f} s, down {down:.2f} s", flush=True)
    for engine in ("process", "compose"):
        times[f"{engine}-pool"]["up"] = waits_with_a_pool(engine)
    _write(times)


def isolated_and_floor() -> None:
    """A fresh stack on the process engine, against its slowest service's own start."""
    ours, floors = [], []
    with state_folder() as state:
        open_stack(choice(state, "process"), SILENT).close(SILENT)  # so that the snapshot is there
        for number in range(ROUNDS):
            ours.append(snapshot_round(choice(state, "process"))[0])
            floors.append(slowest_start(state))
            print(f"round {number + 1}: {ours[-1]:.2f} s, floor {floors[-1]:.2f} s", flush=True)
    results.write(
        "isolated-floor", f"{WHAT}, process engine, from the snapshot",
        ours=ours, other=floors, unit="s", bound=1.25,
        other_is="the slowest service's own start, alone",
    )  # fmt: skip


def choice(state: str, engine: str, preload: str = "off", stack: str = "runs") -> StackRequest:
    """A reference stack, on free ports, under a name of its own."""
    own = {"STACKPROOF_STATE_DIR": state, "STACKPROOF_PRELOAD": preload}
    return StackRequest(ROOT, {**os.environ, **own}, stack=stack, engine=engine, isolated=True)


def warm_up(request: StackRequest) -> None:
    """Open stacks until each service that can be forked is.

    Raises:
        RuntimeError: If none is.
    """
    starts: dict[str, str] = {}
    deadline = Deadline(WARM_SECONDS)
    while not deadline.passed:
        own = open_stack(request, SILENT)
        starts = {one.name: one.start for one in own.stack.running.status() if one.start}
        own.close(SILENT)
        if "warm" in starts.values() and not any(NOT_YET in one for one in starts.values()):
            print(f"{request.stack}: {starts}", flush=True)
            return
    raise RuntimeError(f"no service is forked: {starts}")


def peers_environment(folder: Path) -> str:
    """A virtualenv with the peers; its Python."""
    subprocess.run(["uv", "venv", "--quiet", str(folder / "venv")], check=True)
    python = str(folder / "venv/bin/python")
    subprocess.run(
        ["uv", "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", LOCK],
        check=True,
    )
    return python


def peer_model(state: str, folder: Path) -> Path:
    """Our model of the stack, images built, for the peers."""
    made = lifecycle.resolve(choice(state, "compose"))
    model = model_of(lifecycle.up(made, SILENT, hold=True).stack)
    lifecycle.down(made, SILENT, force=True)
    write_peer_model(model, folder / "peer.json")
    return folder / "peer.json"


def _kinds(state: str, python: str, model: Path) -> dict[str, Callable[[], tuple[float, float]]]:
    """What is measured in each round, in turn."""
    kinds: dict[str, Callable[[], tuple[float, float]]] = {
        peer: lambda peer=peer: peer_round(python, peer, model) for peer in PEERS
    }
    kinds["process-warm"] = lambda: snapshot_round(choice(state, "process", "auto"))
    for engine in ("process", "compose"):
        kinds[f"{engine}-cold"] = lambda engine=engine: cold_round(choice(state, engine))
        kinds[f"{engine}-snapshot"] = lambda engine=engine: snapshot_round(choice(state, engine))
    return kinds


def peer_round(python: str, peer: str, model: Path) -> tuple[float, float]:
    """A peer's seconds up to a migrated and seeded stack, and down."""
    script = Path(__file__).with_name("peer_round.py")
    done = subprocess.run(
        [python, str(script), peer, str(model), PEER], check=True, capture_output=True, text=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return told["up"], told["down"]


def cold_round(chosen: StackRequest) -> tuple[float, float]:
    """Ours, with empty data: up, migrate, seed."""
    began = time.monotonic()
    made = lifecycle.resolve(chosen)
    started = lifecycle.up(made, SILENT, hold=True)
    lifecycle.migrate(made, started.stack, SILENT)
    lifecycle.seed(made, started.stack, SILENT)
    up = time.monotonic() - began
    return up, _timed(lambda: lifecycle.down(made, SILENT, force=True))


def snapshot_round(chosen: StackRequest) -> tuple[float, float]:
    """Ours, from the snapshot after seed."""
    began = time.monotonic()
    own = open_stack(chosen, SILENT)
    up = time.monotonic() - began
    return up, _timed(lambda: own.close(SILENT))


def slowest_start(state: str) -> float:
    """The longest that one service of the stack takes alone."""
    own = open_stack(choice(state, "process"), SILENT)
    seconds = alone(own.stack)
    own.close(SILENT)
    return max(one.start for one in seconds.values())


TEST = """
import time, pytest

@pytest.mark.parametrize("number", range({tests}))
@pytest.mark.stack("runs", isolation="test")
def test_takes_longer_than_a_start(stack, number):
    assert stack.rows("select count(*) as n from datasets") == [{{"n": 2}}]
    time.sleep({seconds})
"""


def waits_with_a_pool(engine: str) -> list[float]:
    """How long tests wait for their stack when each lasts longer than a start."""
    with state_folder() as state, tempfile.TemporaryDirectory() as folder:
        before = snapshot_round(choice(state, engine))
        seconds = 2 * sum(before)
        test = Path(folder, "test_pool.py")
        test.write_text(TEST.format(tests=POOL_TESTS, seconds=seconds))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
        options = [f"--rootdir={ROOT}", f"--engine={engine}", f"--stack-artifacts={folder}/out"]
        subprocess.run(
            [*command, *options], cwd=ROOT, check=True,
            env={**os.environ, "STACKPROOF_STATE_DIR": state},
        )  # fmt: skip
        uses = json.loads(Path(folder, "out/stacks.json").read_text())
        return [use["waited"] for use in uses if use["ahead"]]


def _write(times: Times) -> None:
    def up(name: str) -> list[float]:
        return times[name]["up"]

    def both(name: str) -> list[float]:
        return [a + b for a, b in zip(times[name]["up"], times[name]["down"], strict=True)]

    for ours, other, bound, values, how in (
        ("process-warm", "testcontainers", 1 / 8, up, "up"),
        ("process-warm", "testcontainers", 1 / 15, both, "up and down"),
        ("process-warm", "pytest-docker", 1 / 8, up, "up"),
        ("process-warm", "compose", 1 / 8, up, "up"),
        ("process-snapshot", "testcontainers", 1 / 8, up, "up"),
        ("process-snapshot", "testcontainers", 1 / 15, both, "up and down"),
        ("process-snapshot", "pytest-docker", 1 / 8, up, "up"),
        ("process-snapshot", "compose", 1 / 8, up, "up"),
        ("process-cold", "testcontainers", 1.0, up, "up"),
        ("compose-snapshot", "testcontainers", 1 / 2.5, up, "up"),
        ("compose-snapshot", "testcontainers", 1 / 2.5, both, "up and down"),
        ("compose-snapshot", "pytest-docker", 1 / 2.5, up, "up"),
        ("compose-snapshot", "compose", 1 / 2.5, up, "up"),
        ("compose-cold", "testcontainers", 1.0, up, "up"),
    ):
        results.write(
            f"isolated-{ours}-{other}-{how.replace(' ', '-')}", f"{WHAT}, {ours}: {how}",
            ours=values(ours), other=values(other), unit="s", bound=round(bound, 4),
            other_is=f"{other}: {how}, migrate, seed",
        )  # fmt: skip
    for engine in ("process", "compose"):
        results.write(
            f"isolated-pool-{engine}", f"wait for a {WHAT}, from the pool, {engine} engine",
            ours=up(f"{engine}-pool"), other=[0.0], unit="s", bound=0.05, difference=True,
            other_is="no wait at all",
        )  # fmt: skip


def crowds() -> None:
    """Time and memory of 1, 2, 4, 8 and 16 isolated stacks at once, process engine."""
    with state_folder() as state:
        open_stack(choice(state, "process"), SILENT).close(SILENT)
        seconds, memory = {}, {}
        for size in CROWDS:
            began = time.monotonic()
            stacks = open_together(choice(state, "process"), size)
            seconds[size] = time.monotonic() - began
            memory[size] = sum(memory_of(one) for one in stacks) / (1 << 20)
            print(f"{size} at once: {seconds[size]:.1f} s, {memory[size]:.0f} MiB", flush=True)
            for one in stacks:
                one.close(SILENT)
    largest = CROWDS[-1]
    for name, values, unit, bound in (
        ("crowd-time", seconds, "s", 1.25), ("crowd-memory", memory, "MiB", 1.1),
    ):  # fmt: skip
        told = ", ".join(f"{size}: {values[size]:.1f}" for size in CROWDS)
        results.write(
            name, f"{largest} isolated stacks at once, for each ({unit} in all: {told})",
            ours=[values[largest] / largest], other=[values[1]], unit=unit, bound=bound,
            other_is="one alone",
        )  # fmt: skip


def open_together(request: StackRequest, size: int) -> list[IsolatedStack]:
    """Stacks that are opened at once."""
    with ThreadPoolExecutor(size) as threads:
        return list(threads.map(lambda _: open_stack(request, SILENT), range(size)))


def memory_of(own: IsolatedStack) -> int:
    """Proportional memory of all processes of a stack and of its keepers, in bytes."""
    reaper = psutil.Process(read_run(own.resolved.run.path).reaper.pid)
    processes = [reaper, *reaper.children(recursive=True)]
    return sum(one.memory_full_info().pss for one in processes)


def _timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began
