"""A plan as lines of text, for `invoke config --explain`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from stackproof.plan.model import Plan, ServicePlan, Translation
from stackproof.plan.mounts.settling import described
from stackproof.plan.runtime import AUTO, OFF, Runtime
from stackproof.plan.world.model import Layer, World
from stackproof_redaction import Redactor

NOT_CLAIMED = re.compile(r"(127\.0\.0\.1|localhost|::1\]):0(?![0-9])")
"""An address whose port is chosen when the stack is started."""


def explain_plan(plan: Plan, *, why_no_copy: str = "") -> list[str]:
    """What will run where, what was translated and why, and what to know; secrets masked.

    Args:
        plan: The plan.
        why_no_copy: Why this machine can't copy folders for services; empty where it can.
    """
    redactor = Redactor(plan.secrets)
    lines = (*_lines(plan), *_writes(plan, why_no_copy))
    return [redactor.text(NOT_CLAIMED.sub(r"\1:(a free port)", line)) for line in lines]


def _writes(plan: Plan, why_no_copy: str) -> Iterator[str]:
    """Every path of this machine that a mount lets a service write to, and what stands for it."""
    found = [
        f"  {service.name} {text}"
        for service in plan.services
        for mount in service.outside
        if (text := described(mount, why_no_copy))
    ]
    yield ""
    yield "what services can write to outside the run"
    yield from found or ["  nothing"]
    if why_no_copy:
        yield f"  (nothing can be copied here: {why_no_copy})"
    if plan.is_translated:
        yield "  (a process runs with your rights: nothing else keeps it from your files)"


def _lines(plan: Plan) -> Iterator[str]:
    world = f", {plan.world} world" if plan.engine == "process" else ""
    yield f"{plan.stack} as {plan.project}, engine {plan.engine}{world}, in {plan.run_folder}"
    changes: dict[str, list[Translation]] = {}
    for change in plan.translations:
        changes.setdefault(change.service, []).append(change)
    for service in plan.services:
        yield ""
        yield service.name
        yield from (f"  {line}" for line in _service(service))
        for change in changes.get(service.name, ()):
            yield f"  {change.place} ({change.rule})"
            yield f"    - {change.before or '(unset)'}"
            yield f"    + {change.after}"
    if plan.notices:
        yield ""
        yield "to know"
        yield from (f"  {notice}" for notice in plan.notices)


def _service(service: ServicePlan) -> Iterator[str]:
    if service.runtime is not None:
        yield f"runs: {_runtime(service.runtime)}"
    if service.argv:
        yield f"command: {shlex.join(service.argv)}"
    if service.world is not None:
        yield from _world(service.world)
    for endpoint in service.endpoints:
        yield f"port {endpoint.target}: {endpoint.host}:{endpoint.port} ({endpoint.scheme})"
    for name, condition in service.depends_on.items():
        yield f"waits for: {name} ({condition})"
    yield f"ready: {service.probe or 'as soon as it is started'}"
    if service.preload != AUTO:
        chosen = service.preload
        yield f"imported ahead in tests: {'nothing' if chosen == OFF else ', '.join(chosen)}"


def _world(world: World) -> Iterator[str]:
    """What a service sees in its private world."""
    network = f"the network of {world.joins}" if world.joins else "no network"
    yield f"hostname: {world.hostname}" + ("" if world.interfaces else f", {network}")
    for interface in world.interfaces:
        names = ", ".join(interface.names)
        yield f"address: {interface.address}/{interface.prefix} on {interface.network}, as {names}"
    for name, address in world.hosts.items():
        yield f"knows: {name} as {address}"
    user = world.user
    yield f"user: {user.name or user.uid} ({user.uid}:{user.gid}), in {world.working_dir}"
    for layer in world.layers:
        yield f"file: {_layer(layer)}"
    if world.read_only:
        yield "file: everything else is read-only"


def _layer(layer: Layer) -> str:
    if layer.kind == "tmpfs":
        return f"{layer.target} in memory" + (f", {layer.size}" if layer.size else "")
    if layer.source is None:
        return f"{layer.target}, empty"
    hidden = f", without {len(layer.hidden)} paths of .dockerignore" if layer.hidden else ""
    how = {"bind": "", "overlay": ", writes stay in the run"}[layer.kind]
    how = ", read-only" if layer.read_only else how
    return f"{layer.target} from {layer.source}{how}{hidden}"


def _runtime(runtime: Runtime) -> str:
    if runtime.kind == "image":
        return f"{runtime.image} {runtime.version}".strip() + ", natively"
    if runtime.kind == "build":
        return f"built here from {runtime.project}"
    if runtime.own_environment:
        return f"{runtime.project}, in stackproof's own environment"
    wanted = f"{runtime.python} ({runtime.python_source})" if runtime.python else "of any version"
    installs = "; ".join(install.written for install in runtime.installs) or "nothing installed"
    return f"{runtime.project}, Python {wanted}, {installs}"
