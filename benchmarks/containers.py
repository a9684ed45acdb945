"""The compose engine against `docker compose` on the same model, in turn."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import results
from benchmarks.stack import ROOT, SILENT, state_folder
from stackproof import lifecycle
from stackproof.engines.compose.command_line import VALUE
from stackproof.stack.running import Stack
from stackproof.waiting import wait_until

ROUNDS = 7
PEER = "stackproof-bench-peer"


def docker_up_and_down() -> None:
    """`up` and `down` of the reference stack, images built, against Compose's own."""
    ours: dict[str, list[float]] = {"up": [], "down": []}
    peers: dict[str, list[float]] = {"up": [], "down": []}
    with state_folder() as state:
        for number in range(ROUNDS + 1):  # the first one warms up
            made = _resolved(state)
            began = time.monotonic()
            started = lifecycle.up(made, SILENT, hold=True)
            up = time.monotonic() - began
            model = model_of(started.stack)
            wait_for_worker(made.run.project)
            down = _timed(lambda made=made: lifecycle.down(made, SILENT, force=True))
            peer_up, peer_down = _compose(model, Path(state).parent / "peer.json")
            if number:
                ours["up"].append(up)
                ours["down"].append(down)
                peers["up"].append(peer_up)
                peers["down"].append(peer_down)
    results.write(
        "docker-up", "up to all-healthy in containers, reference stack with beat",
        ours=ours["up"], other=peers["up"], unit="s", bound=1.0,
        other_is="docker compose up --wait on the same model",
    )  # fmt: skip
    results.write(
        "docker-down", "down of the same", ours=ours["down"], other=peers["down"], unit="s",
        bound=1.0, other_is="docker compose down -v on the same model",
    )  # fmt: skip


def _resolved(state: str) -> lifecycle.ResolvedStack:
    environment = {**os.environ, "STACKPROOF_STATE_DIR": state}
    choice = lifecycle.StackRequest(
        ROOT, environment, stack="runs", engine="compose", suite="integration"
    )
    made = lifecycle.resolve(choice)
    services = {  # without `ready`, so that both wait for the same: the health checks
        name: replace(service, extension={}) for name, service in made.stack_file.services.items()
    }
    return replace(made, stack_file=replace(made.stack_file, services=services))


def _compose(model: dict, file: Path) -> tuple[float, float]:
    """Compose's times."""
    write_peer_model(model, file)
    command = ["docker", "compose", "--file", str(file), "--project-name", PEER]

    def run(*arguments: str) -> None:
        subprocess.run([*command, *arguments], check=True, capture_output=True)

    try:
        up = _timed(lambda: run("up", "--detach", "--wait"))
        wait_for_worker(PEER)
    finally:
        down = _timed(lambda: run("down", "--volumes"))
    return up, down


def model_of(stack: Stack) -> dict:
    """The model of a running stack, with the secrets that its run folder does not hold."""
    model = json.loads((stack.plan.run_folder / "compose.json").read_text())
    for name, service in model["services"].items():
        values = service.get("environment") or {}
        known = stack.plan.service(name).environment
        for key in [key for key in values if VALUE in str(values[key])]:
            values[key] = known[key].replace("$", "$$")
    assert VALUE not in json.dumps(model), "a secret stands elsewhere than in the environment"
    return model


def write_peer_model(model: dict, file: Path) -> None:
    """Our model for a peer; `start_interval` as interval where the engine does not know it."""
    model["name"] = PEER
    for kind in ("networks", "volumes"):
        for key, value in model.get(kind, {}).items():
            value["name"] = f"{PEER}_{key}"
    for service in model["services"].values():
        if "start_interval" not in service.get("healthcheck", {"start_interval": ""}):
            service["healthcheck"]["interval"] = "500ms"
    file.write_text(json.dumps(model))


def wait_for_worker(project: str) -> None:
    """Until then the worker does not hear that it is to stop, and both would wait for its grace."""
    logs = ["docker", "logs", f"{project}-worker-1"]
    wait_until(
        lambda: b" ready." in subprocess.run(logs, capture_output=True, check=True).stderr,
        what="a worker that is ready",
        timeout=300,
    )


def _timed(act) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began
