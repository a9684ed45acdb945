"""What the process engine needs of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stackproof.engines.process.world.allowed import refusal
from stackproof.lifecycle import StackRequest
from stackproof.reaper.namespace import namespaces_allowed
from stackproof.reaper.run_folder import state_root
from stackproof.tasks.doctor.finding import Finding


def python(_request: StackRequest) -> Finding:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("ok", "Python", f"{version} ({sys.executable})")


def uv(_request: StackRequest) -> Finding:
    """The tool that installs the dependencies of services."""
    from uv import find_uv_bin

    try:
        return Finding("ok", "uv", str(find_uv_bin()))
    except FileNotFoundError as error:
        return Finding("missing", "uv", str(error), "install the package `uv` beside stackproof")


def namespaces(_request: StackRequest) -> Finding:
    """Whether a PID namespace can be made around the services."""
    refusal = namespaces_allowed()
    if refusal:
        return Finding(
            "weaker",
            "PID namespaces",
            f"not allowed here ({refusal}); leftovers of a killed reaper are removed by the next "
            "command instead of at once",
            "run as root, or allow unprivileged user namespaces",
        )
    return Finding("ok", "PID namespaces", "allowed: whatever is killed, nothing stays behind")


def private_world(request: StackRequest) -> Finding:
    """Whether services can see what their containers would."""
    told, _, remedy = refusal(state_root(request.environment)).partition("; ")
    if told:
        observed = (
            f"not allowed here ({told}); services run in the host world, with translated addresses"
        )
        return Finding("weaker", "private world", observed, remedy)
    return Finding(
        "ok", "private world", "allowed: services have networks, names and paths of their own"
    )


def control_groups(_request: StackRequest) -> Finding:
    """Whether limits of CPU and memory can be enforced."""
    root = Path("/sys/fs/cgroup")
    controllers = [root, root / "memory"]
    if any(
        (controller / "cgroup.procs").exists() and os.access(controller, os.W_OK)
        for controller in controllers
    ):
        return Finding("ok", "control groups", "limits of CPU and memory are enforced")
    return Finding(
        "weaker",
        "control groups",
        "can't be written here: limits of CPU and memory are not enforced",
        "run as root, or use the compose engine",
    )
