"""A plan as lines of text, for `invoke config --explain`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from stackproof.plan.model import Plan, Runtime, ServicePlan, Translation
from stackproof.plan.mounts.settling import described
from stackproof.redaction import Redactor


def explain_plan(plan: Plan, *, why_no_copy: str = "") -> list[str]:
    """What will run where, what was translated and why, and what to know; secrets masked.

    Args:
        plan: The plan.
        why_no_copy: Why this machine can't copy folders for services; empty where it can.
    """
    redactor = Redactor(plan.secrets)
    return [redactor.text(line) for line in (*_lines(plan), *_writes(plan, why_no_copy))]


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
    if plan.engine == "process":
        yield "  (a process runs with your rights: nothing else keeps it from your files)"


def _lines(plan: Plan) -> Iterator[str]:
    yield f"{plan.stack} as {plan.project}, engine {plan.engine}, in {plan.run_folder}"
    changes: dict[str, list[Translation]] = {}
    for one in plan.translations:
        changes.setdefault(one.service, []).append(one)
    for service in plan.services:
        yield ""
        yield service.name
        yield from (f"  {line}" for line in _service(service))
        for one in changes.get(service.name, ()):
            yield f"  {one.place} ({one.rule})"
            yield f"    - {one.before}"
            yield f"    + {one.after}"
    if plan.notices:
        yield ""
        yield "to know"
        yield from (f"  {notice}" for notice in plan.notices)


def _service(service: ServicePlan) -> Iterator[str]:
    if service.runtime is not None:
        yield f"runs: {_runtime(service.runtime)}"
    if service.argv:
        yield f"command: {shlex.join(service.argv)}"
    for endpoint in service.endpoints:
        yield f"port {endpoint.target}: {endpoint.host}:{endpoint.port} ({endpoint.scheme})"
    for name, condition in service.depends_on.items():
        yield f"waits for: {name} ({condition})"
    yield f"ready: {service.probe or 'as soon as it is started'}"


def _runtime(runtime: Runtime) -> str:
    if runtime.kind == "image":
        return f"{runtime.image} {runtime.version}".strip() + ", natively"
    if runtime.own_environment:
        return f"{runtime.project}, in stackproof's own environment"
    return f"{runtime.project}, " + (f"locked by {runtime.lock}" if runtime.lock else "not locked")
