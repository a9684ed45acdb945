"""Which services of a stack are forked in tests, and why others start anew."""

from __future__ import annotations

from collections.abc import Iterator

from stackproof.engines.process.fork_server.forker import stack_of
from stackproof.engines.process.fork_server.keeping import why_cold
from stackproof.engines.process.fork_server.known import FOLDER, Approved, kept, known_of
from stackproof.lifecycle import ResolvedStack
from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import OFF
from stackproof.tasks.doctor.finding import Finding

SUBJECT = "warm starts"
SHOWN = 3


def warm_starts(resolved: ResolvedStack) -> Iterator[Finding]:
    """What is known of the forks of each service of Python.

    Args:
        resolved: The stack.
    """
    if resolved.settings.isolation.preload == OFF:
        yield Finding("ok", SUBJECT, "off (`isolation.preload`)")
    elif resolved.plan.world != "private":
        yield Finding("ok", SUBJECT, "none: they need a private world")
    else:
        for service in resolved.plan.services:
            if service.runtime is not None and service.runtime.kind == "project":
                yield _of_service(resolved, service)


def _of_service(resolved: ResolvedStack, service: ServicePlan) -> Finding:
    subject = f"start of {service.name} in tests"
    cache, isolation = resolved.settings.cache, resolved.settings.isolation
    cold = "`isolation.cold` names it" if service.name in isolation.cold else ""
    cold = cold or why_cold(
        service.preload, one_shot=service.one_shot, memory=service.limits.memory
    )
    known = known_of(cache, stack_of(resolved.plan, service), service.name)
    if cold or (known is not None and known.cold):
        return Finding("ok", subject, f"cold: {cold or (known and known.cold)}")
    approved = kept(cache, known.key) if known is not None and known.key else None
    if known is None or approved is None:
        return Finding("ok", subject, "not known yet: its second start in tests finds it out")
    if approved.cold:
        again = f"to try it again, remove {cache / FOLDER / known.key}.json"
        return Finding("weaker", subject, f"cold: {approved.cold}", again)
    return Finding("ok", subject, f"warm: {_told(approved)}")


def _told(approved: Approved) -> str:
    many = len(approved.modules)
    ahead = f"{many} module{'s are' if many != 1 else ' is'} imported ahead"
    shown = [f"{name} ({reason})" for name, reason in [*approved.left_out.items()][:SHOWN]]
    more = len(approved.left_out) - len(shown)
    shown += [f"{more} more"] if more else []
    return f"{ahead}, but not {', '.join(shown)}" if shown else ahead
