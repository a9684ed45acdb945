"""What this machine and this project need, checked one by one, each fault with its remedy."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stackproof.engines.process.images import Step, native_image
from stackproof.engines.process.listeners import holder_of
from stackproof.errors import StackproofError
from stackproof.lifecycle import Blueprint, Choice, resolve
from stackproof.reaper.leftovers import find_runs, read_run
from stackproof.reaper.namespace import namespaces_allowed
from stackproof.reaper.port_claims import is_free
from stackproof.reaper.run_folder import state_root, temporary_folder

LEAST_DISK = 1 << 30
"""Bytes that must be free for data folders and logs."""


@dataclass(frozen=True)
class Finding:
    """What was found of one prerequisite.

    Attributes:
        verdict: `ok`, `weaker` (works, with less), or `missing`.
        subject: What was looked at.
        observed: What was found.
        remedy: What to do; empty where nothing is needed.
    """

    verdict: str
    subject: str
    observed: str
    remedy: str = ""


def examine(choice: Choice) -> Iterator[Finding]:
    """Look at everything that a start needs.

    Args:
        choice: Whose project and stack.
    """
    for look in (_python, _uv, _state, _disk, _namespaces, _control_groups):
        yield _guarded(look, choice)
    try:
        blueprint = resolve(choice)
    except StackproofError as error:
        yield Finding("missing", "configuration", str(error), "see the message")
        return
    files = ", ".join(str(path) for path in blueprint.settings.compose_files)
    yield Finding("ok", "configuration", f"stack {blueprint.plan.stack}: {files}")
    yield from _servers(blueprint)
    yield from _ports(blueprint)


def _guarded(look: Callable[[Choice], Finding], choice: Choice) -> Finding:
    try:
        return look(choice)
    except (StackproofError, OSError) as error:
        return Finding("missing", look.__name__.strip("_").replace("_", " "), str(error))


def _python(_choice: Choice) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("ok", "Python", f"{version} ({sys.executable})")


def _uv(_choice: Choice) -> Finding:
    from uv import find_uv_bin

    try:
        return Finding("ok", "uv", str(find_uv_bin()))
    except FileNotFoundError as error:
        return Finding("missing", "uv", str(error), "install the package `uv` beside stackproof")


def _state(choice: Choice) -> Finding:
    root = state_root(choice.environment)
    runs = find_runs(root)
    alive = sum(run.is_alive for run in runs)
    left = len(runs) - alive
    if left:
        return Finding("weaker", "runs", f"{left} left behind in {root}", "run `invoke clean`")
    return Finding("ok", "runs", f"{alive} running, kept in {root}")


def _disk(_choice: Choice) -> Finding:
    folder = temporary_folder()
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GiB free in {folder}"
    if free < LEAST_DISK:
        return Finding("missing", "disk", text, "free some, or set TMPDIR to another disk")
    return Finding("ok", "disk", text)


def _namespaces(_choice: Choice) -> Finding:
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


def _control_groups(_choice: Choice) -> Finding:
    root = Path("/sys/fs/cgroup")
    controllers = [root, root / "memory"]
    if any((one / "cgroup.procs").exists() and os.access(one, os.W_OK) for one in controllers):
        return Finding("ok", "control groups", "limits of CPU and memory are enforced")
    return Finding(
        "weaker",
        "control groups",
        "can't be written here: limits of CPU and memory are not enforced",
        "run as root, or use the compose engine",
    )


def _servers(blueprint: Blueprint) -> Iterator[Finding]:
    for service in blueprint.plan.services:
        runtime = service.runtime
        if runtime is None or runtime.kind != "image":
            continue
        try:
            found = native_image(runtime.image).locate(runtime, blueprint.settings.cache, _no_steps)
        except StackproofError as error:
            yield Finding("missing", service.name, f"{error.what}\n{error.observed}", error.remedy)
        else:
            yield Finding("ok", service.name, found.description)


def _no_steps(step: Step) -> None:
    raise StackproofError(f"it would have to be prepared first: {step.name}")


def _ports(blueprint: Blueprint) -> Iterator[Finding]:
    if read_run(blueprint.run.path) is not None:
        return  # the ports are taken by the stack itself
    for service in blueprint.plan.services:
        for endpoint in service.endpoints:
            if endpoint.port and not is_free(endpoint.port):
                yield Finding(
                    "missing",
                    f"port {endpoint.port} of {service.name}",
                    f"taken: {holder_of(endpoint.port)}",
                    "stop the other program, or change `ports` in the stack config",
                )
