"""From an edit to services that are well: `up --watch` against Compose and a bare restart."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import results
from benchmarks.containers import PEER, model_of, wait_for_worker, write_peer_model
from benchmarks.stack import ROOT, SILENT, state_folder
from stackproof import lifecycle
from stackproof.lifecycle import ResolvedStack, StackRequest
from stackproof.lifecycle.watching import watch
from stackproof.settings.env_file import EXAMPLE
from stackproof.stack.running import Stack
from stackproof.waiting import wait_until

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "10"))
COPIED = ("config", "packages", "systems/runs")
EDITED = "systems/runs/src/runs/worker.py"
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".venv", "tests", "*.egg-info")
EDITED_OF = ("api", "worker")
PORTS = (18000, 15432, 16379, 14000)
FIRST = 4
"""Edits until services are forked: the first starts of a program are not."""

WHAT = "an edit of the worker's source, shared with the API, to both being well"


def edit_to_healthy() -> None:
    """Edits of copies of the reference system, in turn, and `up` where nothing has changed."""
    times: dict[str, list[float]] = {}
    with state_folder() as state, ExitStack() as ends:
        folder = Path(state).parent
        cold = ends.enter_context(_watched(_resolved(folder / "cold", state, "off")))
        warm = ends.enter_context(_watched(_resolved(folder / "warm", state, "auto")))
        peer = _resolved(folder / "peer", state, "off", "compose")
        composed = ends.enter_context(_composed(peer))
        kinds: dict[str, Callable[[], float]] = {
            "watch": cold.edit, "watch-warm": warm.edit, "bare": cold.restart,
            "compose": composed.edit, "unchanged": cold.up, "compose-unchanged": composed.up,
        }  # fmt: skip
        for _ in range(FIRST):
            warm.edit()
        for number in range(ROUNDS):
            for name, measure in kinds.items():
                times.setdefault(name, []).append(measure())
                print(f"round {number + 1}: {name} {times[name][-1]:.2f} s", flush=True)
    for ours in ("watch", "watch-warm"):
        for other, other_is in (
            ("compose", "docker compose up --build --wait, and the worker's line"),
            ("bare", "a restart of both by the supervisor, nothing watched"),
        ):
            results.write(
                f"{ours}-{other}", f"{WHAT}, {ours}", ours=times[ours], other=times[other],
                unit="s", bound=None, other_is=other_is,
            )  # fmt: skip
    results.write(
        "up-unchanged", "`up` of a stack that is up and unchanged", ours=times["unchanged"],
        other=times["compose-unchanged"], unit="s", bound=0.5, absolute=True,
        other_is="docker compose up --wait, also unchanged",
    )  # fmt: skip


def _resolved(root: Path, state: str, preload: str, engine: str = "process") -> ResolvedStack:
    """A copy of what the reference stack needs of this repository, with ports of its own."""
    for name in COPIED:
        shutil.copytree(ROOT / name, root / name, ignore=LEFT_OUT)
    shutil.copy(ROOT / EXAMPLE, root)  # it says which variables images have
    config = root / "config" / "runs.yaml"
    text = config.read_text()
    for port in PORTS:
        with socket.create_server(("127.0.0.1", 0)) as free:
            text = text.replace(f": {port}", f": {free.getsockname()[1]}")
    config.write_text(text)
    environment = {
        **os.environ, "STACKPROOF_STATE_DIR": state, "STACKPROOF_PRELOAD": preload,
        "STACKPROOF_COVERAGE": "false",
    }  # fmt: skip
    name = f"watch-{engine}-{preload}"
    return lifecycle.resolve(
        StackRequest(root, environment, stack="runs", engine=engine, project=name)
    )


@dataclass
class Watched:
    """A stack that follows its files."""

    resolved: ResolvedStack
    stack: Stack
    said: list[str] = field(default_factory=list)

    def edit(self) -> float:
        """Seconds from a saved file until both services are told to be well."""
        before = len(self.said)

        def is_told() -> bool:
            told = self.said[before:]
            return all(any(f" → {name} → healthy" in line for line in told) for name in EDITED_OF)

        return _timed(lambda: (_edit(self.resolved), _until(is_told)))

    def restart(self) -> float:
        """Seconds of a restart by the supervisor."""
        return _timed(lambda: self.stack.running.control("restart", EDITED_OF))

    def up(self) -> float:
        """Seconds of a further `up`, the reading of all files included."""
        return _timed(lambda: lifecycle.up(lifecycle.resolve(self.resolved.request), SILENT))


@contextmanager
def _watched(resolved: ResolvedStack) -> Iterator[Watched]:
    made = Watched(resolved, lifecycle.up(resolved, SILENT).stack)
    try:
        thread = threading.Thread(target=watch, args=(resolved, made.said.append))
        thread.start()
        yield made
    finally:
        lifecycle.down(resolved, SILENT, force=True, disposable=True)
    thread.join()
    print(*made.said[-3:], sep="\n", flush=True)


@dataclass
class Composed:
    """The same stack as Compose runs it."""

    resolved: ResolvedStack
    file: Path

    def run(self, *arguments: str) -> None:
        """Run a command of Compose."""
        command = ["docker", "compose", "--file", str(self.file), "--project-name", PEER]
        done = subprocess.run([*command, *arguments], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-2000:]}")

    def edit(self) -> float:
        """Seconds from a saved file until both services are well."""

        def build() -> None:
            _edit(self.resolved)
            self.run("up", "--build", "--detach", "--wait")
            wait_for_worker(PEER)

        return _timed(build)

    def up(self) -> float:
        """Seconds of a further `up`."""
        return _timed(lambda: self.run("up", "--detach", "--wait"))


@contextmanager
def _composed(resolved: ResolvedStack) -> Iterator[Composed]:
    model = model_of(lifecycle.up(resolved, SILENT).stack)
    lifecycle.down(resolved, SILENT, force=True)
    made = Composed(resolved, resolved.settings.root / "peer.json")
    write_peer_model(model, made.file)
    try:
        made.run("up", "--build", "--detach", "--wait")
        yield made
    finally:
        made.run("down", "--volumes")


def _edit(resolved: ResolvedStack) -> None:
    path = resolved.settings.root / EDITED
    path.write_text(f"{path.read_text()}# edited at {time.monotonic()}\n")


def _until(is_there: Callable[[], bool]) -> None:
    wait_until(is_there, timeout=180, what="a line for each service")


def _timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began
