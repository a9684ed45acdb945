"""Starts a Docker Engine in this container, for stacks that no other container is to see.

A container that may mount, such as a privileged one, may run one. All that it has, down to the
processes of its containers, is in this container, and ends with it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from stackproof.errors import WaitTimeout
from stackproof.waiting import wait_until

LOG = Path("/var/log/dockerd.log")
GROUPS = Path("/sys/fs/cgroup")
SYS_ADMIN, NET_ADMIN = 1 << 21, 1 << 12
START_SECONDS = 60.0


def is_allowed() -> bool:
    """Whether this container may mount and make networks."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    needed = SYS_ADMIN | NET_ADMIN
    return found is not None and int(found[1], 16) & needed == needed


def run_under_an_init() -> None:
    """Leave process 1 to an init, which buries what the containers leave to it."""
    if os.getpid() == 1:
        os.execvp("docker-init", ["docker-init", "--", sys.executable, *sys.argv])  # noqa: S606 - of the image


def start_engine() -> None:
    """Start the engine and wait until it answers; end with its log if it does not."""
    make_writable(Path("/proc/sys"), GROUPS)
    hand_down_controllers(GROUPS)
    with LOG.open("w", encoding="utf-8") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--log-level=warn"], stdout=log, stderr=log, start_new_session=True
        )
    with suppress(WaitTimeout):
        wait_until(
            lambda: answers() or daemon.poll() is not None,
            timeout=START_SECONDS, what="the Docker Engine answers",
        )  # fmt: skip
    if not answers():
        refuse("\n  ".join(LOG.read_text(encoding="utf-8").splitlines()[-5:]))


def refuse(observed: str) -> NoReturn:
    """End because the engine does not start."""
    sys.exit(
        f"runner: the Docker Engine of this container does not start\n  {observed}\n"
        "  run the container with --privileged, or mount the host's /var/run/docker.sock"
    )


def answers() -> bool:
    """Whether the engine answers."""
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def make_writable(*roots: Path) -> None:
    """Mount again for writing what Docker gives to an unprivileged container for reading."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, _, options, *_ = line.split()
        if "ro" in options.split(",") and any(Path(place).is_relative_to(root) for root in roots):
            command = ["mount", "-o", "remount,bind,rw", place]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                refuse(done.stderr.strip())


def hand_down_controllers(root: Path) -> None:
    """Let containers have limits, where control groups are those of version 2.

    Only a group without processes of its own hands its controllers down; see "No Internal Process
    Constraint" in the kernel's cgroup-v2 documentation.
    """
    controllers = root / "cgroup.controllers"
    if controllers.exists():
        (root / "init").mkdir(exist_ok=True)
        for process in (root / "cgroup.procs").read_text(encoding="utf-8").split():
            with suppress(ProcessLookupError):
                (root / "init/cgroup.procs").write_text(process, encoding="utf-8")
        given = " ".join(f"+{name}" for name in controllers.read_text(encoding="utf-8").split())
        (root / "cgroup.subtree_control").write_text(given, encoding="utf-8")
