"""What this machine and this project need, checked one by one, each fault with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stackproof.errors import StackproofError
from stackproof.lifecycle import StackRequest, resolve
from stackproof.tasks.doctor import machine, places
from stackproof.tasks.doctor.docker import examine_docker
from stackproof.tasks.doctor.finding import Finding
from stackproof.tasks.doctor.stack import ports, servers
from stackproof.tasks.doctor.warm_starts import warm_starts

PROCESS_LOOKS = (machine.uv, machine.namespaces, machine.private_world, machine.control_groups)

__all__ = ["Finding", "examine"]


def examine(request: StackRequest) -> Iterator[Finding]:
    """Look at everything that a start needs.

    Args:
        request: Whose project and stack.
    """
    for look in (machine.python, *places.LOOKS):
        yield _guarded(look, request)
    try:
        resolved = resolve(request)
    except StackproofError as error:
        yield from _engine(request, request.engine or "process")
        observed = "\n".join(filter(None, (error.what, error.observed)))
        yield Finding("missing", "configuration", observed, error.remedy)
        return
    engine = resolved.engine.name
    yield from _engine(request, engine)
    files = ", ".join(str(path) for path in resolved.settings.compose_files)
    yield Finding("ok", "configuration", f"stack {resolved.plan.stack}: {files}")
    if engine == "process":
        yield from servers(resolved)
        yield from warm_starts(resolved)
    yield from ports(resolved)


def _engine(request: StackRequest, engine: str) -> Iterator[Finding]:
    if engine == "compose":
        yield from examine_docker(request)
    elif engine == "process":
        for look in PROCESS_LOOKS:
            yield _guarded(look, request)


def _guarded(look: Callable[[StackRequest], Finding], request: StackRequest) -> Finding:
    try:
        return look(request)
    except (StackproofError, OSError) as error:
        return Finding("missing", look.__name__.replace("_", " "), str(error))
