"""A stack that is up already: what has changed is started anew, all else is reused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from socket import socket

from stackproof.engines.base import Launch, RunningPlan, Say, ServiceStatus
from stackproof.errors import NoStack, StartFailed
from stackproof.lifecycle.belonging import own_record, refuse_other_engine
from stackproof.lifecycle.taken_ports import refuse_taken_ports
from stackproof.reaper import port_claims
from stackproof.reaper.lock import ProjectLock
from stackproof.stack.changes import Changes, changes
from stackproof.stack.database import mark_databases
from stackproof.stack.kept_data import refuse_unfit
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.running import Stack
from stackproof.stack.running_record import RunningRecord, write_about


def update(
    resolved: ResolvedStack,
    known: RunningRecord,
    say: Say,
    *,
    left: Collection[str] = (),
    forks: bool = False,
    waiting: Say | None = None,
) -> Stack:
    """Reuse a running copy; services that have changed, or whose files have, are started anew.

    Args:
        resolved: What it is to be.
        known: What it was started from.
        say: Takes lines of progress.
        left: Services whose changes wait for the next `up`.
        forks: Whether this process updates the stack often, as for `Launch`.
        waiting: Takes the lines while services are waited for; what it raises ends the wait.

    Raises:
        Refused: If another engine runs it, or a server can't go on with the data that it has.
        StartFailed: If a service does not become ready.
    """
    refuse_other_engine(resolved, known)
    refuse_unfit(f"the data of {resolved.plan.project}", known.origins, resolved.plan)
    with ExitStack() as claims:
        resolved = _with_new_ports(resolved.of_run(known), known, claims)
        refuse_taken_ports(resolved, own=known.ports.values())
        running = resolved.engine.attach(resolved.plan, resolved.run)
        record = resolved.record(complete=True, known=known)
        waits = {name: known.services[name] for name in left if name in known.services}
        record = replace(record, services={**record.services, **waits})
        changed = changes(known, record)
        if not changed:
            say(f"{resolved.plan.project} is up already and nothing has changed; it is reused")
        write_about(resolved.run, known.without_start_of(changed.services))
        running = _apply(resolved, running, changed, say, forks=forks)
        states = running.status()
        recreated = _recreate(resolved, states, say)
        _wait_until_well(
            resolved, running, running.status() if recreated else states, waiting or say
        )
    stack = Stack(resolved.plan, running)
    if changed or recreated:
        mark_databases(stack)
    stack.require_alive()
    write_about(resolved.run, record)
    return stack


def restart(resolved: ResolvedStack, names: Sequence[str], say: Say) -> Stack:
    """Stop and start services and wait until they are ready; those that have changed, anew.

    Services that depend on one of them with `restart: true` are restarted with it.

    Args:
        resolved: The stack.
        names: The services.
        say: Takes lines of progress.

    Raises:
        NoStack: If the stack is not up.
        StartFailed: If a service does not become ready.
    """
    with ProjectLock(resolved.run, resolved.request.environment):
        known = own_record(resolved)
        if known is None:
            raise NoStack(f"{resolved.plan.project} is not up", remedy="start it: `invoke up`")
        refuse_other_engine(resolved, known)
        refuse_unfit(f"the data of {resolved.plan.project}", known.origins, resolved.plan)
        running = resolved.engine.attach(resolved.plan, resolved.run)
        record = resolved.record(complete=True, known=known)
        chosen = resolved.plan.restarted_with(names)
        services = {**known.services, **{name: record.services[name] for name in chosen}}
        after = replace(known, services=services)
        changed = changes(known, after)
        write_about(resolved.run, known.without_start_of(changed.services))
        running = _apply(resolved, running, changed, say)
        unchanged = [name for name in chosen if name not in changed.services]
        if unchanged:
            running.control("restart", unchanged)
        running.wait_ready(resolved.settings.timeouts.start, say)
        write_about(resolved.run, after)
    return Stack(resolved.plan, running)


def _with_new_ports(
    resolved: ResolvedStack, known: RunningRecord, claims: ExitStack
) -> ResolvedStack:
    """With free ports for what needs one now, claimed until the services listen on them."""
    missing = [key for key in resolved.needed_ports() if key not in known.ports]
    if not missing:
        return resolved
    try:
        held: list[socket] = []
        numbers = port_claims.claim(len(missing), held)
    except OSError as error:
        raise StartFailed(f"{resolved.plan.project} can't be updated: {error}") from None
    for claim in held:
        claims.callback(claim.close)
    kept = {key: number for key, number in resolved.plan.ports.items() if key in known.ports}
    return resolved.with_ports({**kept, **dict(zip(missing, numbers, strict=True))})


def _apply(
    resolved: ResolvedStack,
    running: RunningPlan,
    changed: Changes,
    say: Say,
    *,
    forks: bool = False,
) -> RunningPlan:
    """Remove and start anew what has changed."""
    plan = resolved.plan
    if not changed:
        return running
    resolved.keep_secrets()
    for line in changed.lines:
        say(f"changed: {line}")
    names = plan.restarted_with(changed.services)
    for name in names:
        if name not in changed.services:
            say(f"{name}: restarted with {', '.join(plan.service(name).restarts_with)}")
    cold = resolved.settings.isolation.cold
    launch = Launch(plan, resolved.run, say, forks=forks, cold=cold)
    return resolved.engine.replace(launch, names, changed.removed)


def _recreate(resolved: ResolvedStack, states: Sequence[ServiceStatus], say: Say) -> list[str]:
    removed = [state.name for state in states if state.state == "removed"]
    if removed:
        containers = "its container was" if len(removed) == 1 else "their containers were"
        say(f"recreating {', '.join(removed)}: {containers} removed from outside")
        resolved.engine.replace(Launch(resolved.plan, resolved.run, say), removed)
    return removed


def _wait_until_well(
    resolved: ResolvedStack, running: RunningPlan, states: Sequence[ServiceStatus], say: Say
) -> None:
    ended = [state for state in states if state.state in {"stopped", "exited"}]
    for state in ended:
        say(f"starting {state.name} again: {state.detail or state.state}")
    if ended:
        running.control("start", [state.name for state in ended])
    if not all(state.is_well for state in states):
        running.wait_ready(resolved.settings.timeouts.start, say)
