"""The starts of the stack `automation`, and what its broker takes of them, on both engines.

The seconds of each round are printed. What is kept is the processor time that a stack has used when
it is ready: it depends less on what else the machine does.
"""

from __future__ import annotations

import os
import tempfile
import textwrap
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import docker
import psutil

from benchmarks import results
from benchmarks.stack import ROOT, SILENT, state_folder
from stackproof import lifecycle
from stackproof.isolation.isolated import open_stack
from stackproof.reaper.leftovers import read_run
from stackproof.stack.resolved import ResolvedStack, StackRequest

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
ENGINES = ("process", "compose")
BROKER = {
    "compose.yaml": """\
        services:
          rabbitmq:
            image: ${RABBITMQ_IMAGE}
            volumes: ["./PLUGINS:/etc/rabbitmq/enabled_plugins:ro", "data:/var/lib/rabbitmq"]
            healthcheck:
              test: ["CMD", "rabbitmq-diagnostics", "-q", "check_port_connectivity"]
              start_interval: 500ms
              start_period: 60s
        volumes: {data: }
        """,
    "config/broker.yaml": """\
        stack: broker
        compose_files: [../compose.yaml]
        variables: {RABBITMQ_IMAGE: "rabbitmq:3"}
        """,
    "none": "[].\n",
    "management": "[rabbitmq_management].\n",
}

Took = tuple[float, float]
"""Seconds, and seconds of processor time."""


def automation() -> None:
    """The whole stack and its broker alone, each with empty data and with those of the snapshot."""
    times: dict[str, list[Took]] = defaultdict(list)
    with state_folder() as state, tempfile.TemporaryDirectory() as folder:
        requests = {engine: _requests(state, Path(folder), engine) for engine in ENGINES}
        for kinds in requests.values():
            for request in kinds.values():
                kept_data(request)  # so that the snapshot is there
        for number in range(ROUNDS):
            for engine, kinds in requests.items():
                for kind, request in kinds.items():
                    for start in (empty_data, kept_data):
                        name = f"{engine} {kind} {start.__name__}"
                        took = start(request)
                        times[name].append(took)
                        print(f"round {number + 1}: {name} {took[0]:.2f} s, {took[1]:.2f} s of a "
                              f"processor, load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip
    for engine in ENGINES:
        _write(engine, times)


def _requests(state: str, folder: Path, engine: str) -> dict[str, StackRequest]:
    """The whole stack, and the broker alone without plugins and with."""
    environment = {**os.environ, "STACKPROOF_STATE_DIR": state}
    found = {"automation": StackRequest(ROOT, environment, "automation", engine, isolated=True)}
    for plugins in ("none", "management"):
        root = folder / engine / plugins
        for name, text in BROKER.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).replace("PLUGINS", plugins))
        found[plugins] = StackRequest(root, environment, "broker", engine, isolated=True)
    return found


def empty_data(request: StackRequest) -> Took:
    """Up, migrate, seed."""
    began = time.monotonic()
    made = lifecycle.resolve(request)
    started = lifecycle.up(made, SILENT, hold=True)
    try:
        if made.plan.migrate:
            lifecycle.migrate(made, started.stack, SILENT)
        if made.plan.seed:
            lifecycle.seed(made, started.stack, SILENT)
        return time.monotonic() - began, processor_time(made)
    finally:
        lifecycle.down(made, SILENT, force=True)


def kept_data(request: StackRequest) -> Took:
    """From the snapshot after seed."""
    began = time.monotonic()
    own = open_stack(request, SILENT)
    try:
        return time.monotonic() - began, processor_time(own.resolved)
    finally:
        own.close(SILENT)


def processor_time(made: ResolvedStack) -> float:
    """Seconds of processor time that a stack has used so far, ended processes included."""
    if made.plan.engine == "process":
        reaper = psutil.Process(read_run(made.run.path).reaper.pid)
        used = [one.cpu_times() for one in (reaper, *reaper.children(recursive=True))]
        return sum(sum(one[:4]) for one in used)
    label = f"com.docker.compose.project={made.run.project}"
    with closing(docker.from_env()) as client:
        told = [
            client.api.stats(one.id, stream=False, one_shot=True)
            for one in client.containers.list(filters={"label": label})
        ]
    return sum(one["cpu_stats"]["cpu_usage"]["total_usage"] for one in told) / 1e9


def _write(engine: str, times: dict[str, list[Took]]) -> None:
    for name, what, ours, other, other_is in (
        ("automation", "automation, from the snapshot after seed",
         "automation kept_data", "automation empty_data", "up, migrate, seed with empty data"),
        ("automation-broker", "RabbitMQ alone, its data from the snapshot",
         "none kept_data", "automation kept_data", "the whole of automation, from the snapshot"),
        ("rabbitmq-data", "RabbitMQ alone, its data from the snapshot",
         "none kept_data", "none empty_data", "with an empty data folder"),
        ("rabbitmq-plugins", "RabbitMQ alone without plugins, its data from the snapshot",
         "none kept_data", "management kept_data", "with rabbitmq_management"),
    ):  # fmt: skip
        results.write(
            f"{name}-{engine}", f"processor time until ready: {what}, {engine} engine",
            ours=[processor for _, processor in times[f"{engine} {ours}"]],
            other=[processor for _, processor in times[f"{engine} {other}"]],
            unit="s", bound=None, other_is=other_is,
        )  # fmt: skip
