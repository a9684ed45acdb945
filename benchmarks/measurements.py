"""What is measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import results
from benchmarks.adoption import ADOPTIONS
from benchmarks.automation import automation
from benchmarks.containers import docker_up_and_down
from benchmarks.databases import databases
from benchmarks.gateway import gateway
from benchmarks.isolation import crowds, isolated_and_floor, isolated_stacks
from benchmarks.network import network
from benchmarks.receipt import receipt
from benchmarks.stack import ROOT, SILENT, alone, longest_chain, resolved, state_folder
from benchmarks.warm import warm_starts
from benchmarks.watch import edit_to_healthy
from stackproof import lifecycle
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.sweep import marked

ROUNDS = 5
KILLS = 20
LISTINGS = 11


def up_and_down() -> None:
    """`up` against the longest chain of single starts, `down` against the slowest single stop."""
    ups, chains, downs, stops = [], [], [], []
    with state_folder() as state:
        warm = resolved(state)
        lifecycle.up(warm, SILENT, hold=True)
        lifecycle.down(warm, SILENT, force=True)
        for _ in range(ROUNDS):
            made = resolved(state)
            began = time.monotonic()
            started = lifecycle.up(made, SILENT, hold=True)
            ups.append(time.monotonic() - began)
            seconds = alone(started.stack)
            chains.append(longest_chain(started.stack.plan, seconds))
            stops.append(max(one.stop for one in seconds.values()))
            began = time.monotonic()
            lifecycle.down(made, SILENT, force=True)
            downs.append(time.monotonic() - began)
    results.write(
        "up", "up to all-healthy, reference stack with beat", ours=ups, other=chains, unit="s",
        other_is="longest chain of starts, each service alone", bound=1.15,
    )  # fmt: skip
    results.write(
        "down", "down of the same", ours=downs, other=stops, unit="s", bound=0.5, difference=True,
        other_is="slowest service's own stop",
    )  # fmt: skip


OWNER = """
import sys, time
from benchmarks.stack import SILENT, resolved
from stackproof import lifecycle
from stackproof.reaper.leftovers import read_run
made = resolved(sys.argv[1])
started = lifecycle.up(made, SILENT, hold=True)
print(made.run.path, read_run(made.run.path).run_id, flush=True)
time.sleep(600)
"""


def kill() -> None:
    """From SIGKILL of the owner of the whole reference stack until nothing of it is left."""
    ours, floor = [], []
    for _ in range(KILLS):
        with state_folder() as state:
            owner = subprocess.Popen(
                [sys.executable, "-c", OWNER, state], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            path, run_id = owner.stdout.readline().split()
            began = time.monotonic()
            owner.kill()
            while Path(path).exists() or marked(f"STACKPROOF_RUN={run_id}"):
                time.sleep(0.002)
            ours.append(time.monotonic() - began)
            owner.communicate()
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        began = time.monotonic()
        process.kill()
        process.wait()
        floor.append(time.monotonic() - began)
        process.communicate()
    results.write(
        "kill", "SIGKILL of the owner to nothing left", ours=ours, other=floor, unit="s",
        other_is="one process killed and reaped", bound=0.5, difference=True,
    )  # fmt: skip


def listing() -> None:
    """`invoke --list` against that of an empty collection."""
    ours, other = [], []
    with state_folder() as state:
        empty = Path(state).parent / "empty"
        empty.mkdir()
        (empty / "tasks.py").write_text("from invoke import Collection\nns = Collection()\n")
        for _ in range(LISTINGS):
            for folder, kept in ((ROOT, ours), (empty, other)):
                began = time.monotonic()
                subprocess.run(
                    [sys.executable, "-m", "invoke", "--list"], cwd=folder, capture_output=True,
                    check=False,
                )  # fmt: skip
                kept.append(time.monotonic() - began)
    results.write(
        "listing", "invoke --list", ours=ours, other=other, unit="s", bound=2.0,
        other_is="invoke --list of an empty collection",
    )  # fmt: skip


def memory() -> None:
    """Memory of supervisor and reaper while the reference stack is up."""
    with state_folder() as state:
        made = resolved(state)
        lifecycle.up(made, SILENT, hold=True)
        run = read_run(made.run.path)
        ours = sum(_resident(one.pid) for one in (run.reaper, run.supervisor))
        lifecycle.down(made, SILENT, force=True)
    bare = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    bare.stdout.readline()
    floor = _resident(bare.pid)
    bare.communicate(b"\n")
    results.write(
        "memory", "resident memory of supervisor and reaper", ours=[ours], other=[floor],
        unit="MiB", bound=60.0 - floor, difference=True, other_is="a bare Python process",
    )  # fmt: skip


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} of {os.getpid()} has ended")


ALL = {
    "up": up_and_down,
    "down": up_and_down,
    "kill": kill,
    "listing": listing,
    "memory": memory,
    "docker-up": docker_up_and_down,
    "docker-down": docker_up_and_down,
    "database": databases,
    "database-empty": databases,
    "gateway": gateway,
    "isolated": isolated_stacks,
    "isolated-floor": isolated_and_floor,
    "crowd": crowds,
    "isolated-warm": warm_starts,
    "isolated-watch": edit_to_healthy,
    "network": network,
    "receipt": receipt,
    "automation": automation,
    **ADOPTIONS,
}
