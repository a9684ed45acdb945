"""Runs a command in a second container on the host's network, which outlives a killed first one.

The first container, the one that a person has started, starts the second with its own mounts and
waits for it. The second runs the command: published ports are on its own 127.0.0.1, and ports are
claimed where they are used. When the first is gone, killed or not, the second ends the command,
whose reapers take the stacks down; what they leave, and what is left of a second container that was
killed, is removed here.

Without the host's socket, the first container runs the command itself, with an engine of its own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import own_engine

from stackproof.errors import WaitTimeout
from stackproof.reaper.leftovers import find_runs, remove_leftover
from stackproof.waiting import wait_until

STATES = Path("/var/lib/stackproof-runner")
"""On the host and in the second container: the state of each runner, in a folder of its name."""

LABEL = "dev.stackproof.runner"
WITHIN = "STACKPROOF_RUNNER_OF"
"""Set in the second container: the first one."""

OF_THE_CONTAINER = {"HOME", "HOSTNAME", "PATH", "PWD", "SHLVL", "TERM", "_"}
"""Variables that each container has of its own."""

HOST_NETWORK = {"default", "bridge", "host"}
"""Networks of the first container that promise nothing which the host's does not give."""

TERM_SECONDS, REAP_SECONDS = 30.0, 60.0


NO_ENGINE = """\
runner: this container has no Docker Engine
  neither is the socket of the host's mounted, nor may this container start one of its own
  run it beside its stacks, by
    docker run --rm -v /var/run/docker.sock:/var/run/docker.sock -v "$PWD":"$PWD" -w "$PWD" \
stackproof-runner …
  or around them, by
    docker run --rm --privileged -v "$PWD":"$PWD" -w "$PWD" stackproof-runner …"""


def main(command: Sequence[str]) -> int:
    """Run a command; gives its exit status."""
    if first := os.environ.pop(WITHIN, ""):
        return run_within(first, command)
    if Path("/var/run/docker.sock").exists():
        return run_beside(own_id(), command)
    if own_engine.is_allowed():
        return run_around(command)
    sys.exit(NO_ENGINE)


def lost_option(found: dict[str, Any]) -> str | None:
    """An option of the first container that its second one could not have."""
    host = found["HostConfig"]
    given = {
        "--user": found["Config"]["User"],
        "--privileged": host["Privileged"],
        "--cap-add": host["CapAdd"],
        "--memory": host["Memory"],
        "--cpus": host["NanoCpus"],
        "--publish": host["PortBindings"],
        "--network": host["NetworkMode"] not in HOST_NETWORK,
    }
    return next((name for name, value in given.items() if value), None)


def at_its_own_path(folder: Path, mounts: Sequence[dict[str, Any]]) -> bool:
    """Whether a folder is mounted from the host, where the Docker Engine finds it by its path."""
    return any(
        mount["Type"] == "bind"
        and mount["Source"].removeprefix("/host_mnt") == mount["Destination"]  # Docker Desktop
        and folder.is_relative_to(mount["Destination"])
        for mount in mounts
    )


def refuse_what_is_lost(found: dict[str, Any]) -> None:
    """End if the command would run otherwise than the first container was told."""
    if option := lost_option(found):
        sys.exit(
            f"runner: {option} can't be honoured\n"
            "  the command runs as root, without limits, in a second container on the host's "
            f"network\n  remove {option}"
        )
    if not at_its_own_path(Path.cwd(), found["Mounts"]):
        sys.exit(
            f"runner: the folder {Path.cwd()} is not mounted from the host at its own path\n"
            "  the Docker Engine mounts the project's folders into services, by the host's paths\n"
            '  mount it by -v "$PWD":"$PWD" -w "$PWD"'
        )


def own_id() -> str:
    """The id of this container, from where Docker keeps its /etc/hostname."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    found = re.search(r"/containers/([0-9a-f]{64})/", mounts)
    if found is None:
        sys.exit(NO_ENGINE)
    return found[1]


def run_beside(own: str, command: Sequence[str]) -> int:
    """Start the second container with this one's mounts, and wait for it."""
    [found] = json.loads(docker("inspect", own))
    refuse_what_is_lost(found)
    image, config = found["Image"], found["Config"]
    fixed = ["run", "--rm", "--init", "--network=host", f"--volumes-from={own}",
             f"--label={LABEL}={own}", f"--volume={STATES}:{STATES}", f"--workdir={Path.cwd()}",
             f"--env={WITHIN}={own}"]  # fmt: skip
    given = [f"--interactive={config['OpenStdin']}", f"--tty={config['Tty']}"]
    given += [f"--env={name}" for name in os.environ if name not in OF_THE_CONTAINER]
    process = subprocess.Popen(  # apart from the terminal, whose Ctrl-C is passed on below
        ["docker", *fixed, *given, image, *command], start_new_session=True
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: process.send_signal(got))
    status = process.wait()
    if status == 128 + signal.SIGKILL:  # nobody was left to clean up
        subprocess.run(["docker", *fixed, image, "true"], check=False)
    return status


def run_within(first: str, command: Sequence[str]) -> int:
    """Run the command in the second container, until it ends or the first one is gone."""
    STATES.mkdir(exist_ok=True)
    clean_gone(besides=first)
    return run_here(command, state=STATES / first[:12], as_long_as=first)


def run_around(command: Sequence[str]) -> int:
    """Run the command in the first container, with a Docker Engine of its own."""
    own_engine.run_under_an_init()
    own_engine.start_engine()
    return run_here(command, state=STATES)


def run_here(command: Sequence[str], *, state: Path, as_long_as: str = "") -> int:
    """Run the command until it ends or a container is gone; leave nothing of its stacks."""
    environment = {**os.environ, "STACKPROOF_STATE_DIR": str(state)}
    environment.setdefault("STACKPROOF_CACHE_DIR", str(Path.cwd() / ".nox" / "runner-cache"))
    process = subprocess.Popen(command, env=environment, start_new_session=True)

    def end(got: int, _: FrameType | None = None) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, got)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)

    def watch() -> None:
        subprocess.run(  # apart from the terminal, whose Ctrl-C would end it
            ["docker", "wait", as_long_as], capture_output=True, start_new_session=True, check=False
        )
        end(signal.SIGTERM)
        try:
            process.wait(TERM_SECONDS)
        except subprocess.TimeoutExpired:
            end(signal.SIGKILL)

    if as_long_as:
        threading.Thread(target=watch, daemon=True).start()
    status = process.wait()
    end(signal.SIGKILL)  # what is left of the command's own processes; reapers have other groups
    leave_nothing(state, patience=REAP_SECONDS)
    return status if status >= 0 else 128 - status


def clean_gone(besides: str) -> None:
    """Remove what is left of runners that are gone."""
    alive = docker("ps", "--no-trunc", "--filter", f"label={LABEL}", "--format", "{{json .Labels}}")
    owners = {*re.findall(rf"{LABEL}=([0-9a-f]{{12}})", alive)} - {besides[:12]}
    for state in STATES.iterdir():
        if state.name not in owners:
            leave_nothing(state, patience=0)


def leave_nothing(state: Path, *, patience: float) -> None:
    """Wait for the reapers of a state folder, and do their work where they are gone."""
    with suppress(WaitTimeout):
        wait_until(
            lambda: not any(run.is_alive for run in find_runs(state)),
            timeout=patience, what="the reapers have ended",
        )  # fmt: skip
    for run in find_runs(state):
        print(f"runner: {remove_leftover(run)}", file=sys.stderr)


def docker(*words: str) -> str:
    """What a command of the Docker client says."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"runner: docker {words[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["nox", "--list"]))
