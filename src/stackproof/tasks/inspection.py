"""Tasks that look at a stack, its configuration and this machine, and change nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from stackproof.tasks.display import conceal, say, say_marked, show, show_table, table
from stackproof.tasks.shell import connect, names, prepare, prepare_or_record, stack_task

if TYPE_CHECKING:
    from stackproof.lifecycle import StackRequest
    from stackproof.stack.running import Stack


def show_services(stack: Stack) -> None:
    """Print the table of services, states and addresses."""
    conceal(stack.plan.secrets)  # some are made for each run
    rows = []
    addresses = {
        service.name: ", ".join(endpoint.url for endpoint in service.endpoints)
        for service in stack.plan.services
    }
    for status in stack.running.status():
        state = status.health or status.state
        rows.append((status.name, state, addresses.get(status.name, ""), status.detail))
    show_table(rows, head=("SERVICE", "STATE", "ADDRESS", ""))


@stack_task()
def status(request: StackRequest) -> None:
    """Show each service's state, process, restarts and what it waits for.

    Exit status 1 if a service is not well.
    """
    from stackproof import lifecycle
    from stackproof.tasks import overview

    resolved = prepare_or_record(request)
    stack = connect(resolved)
    states = stack.running.status()
    rows = [
        (
            state.name,
            state.state,
            state.health or "-",
            str(state.pid or "-"),
            str(state.restarts),
            "-" if state.ready_after is None else f"{state.ready_after:.2f} s",
            state.detail,
        )
        for state in states
    ]
    head = ("SERVICE", "STATE", "HEALTH", "PID", "RESTARTS", "READY AFTER", "")
    show_table(rows, head=head)
    for state in states:
        if state.start:
            say(f"start of {state.name}: {state.start}")
    if isinstance(resolved, lifecycle.ResolvedStack):
        for line in overview.changes_since_start(resolved):
            say(f"changed since it was started: {line}")
    frozen = overview.stopped_supervisor(resolved.run)
    if frozen:
        raise Exit(frozen, code=1)
    unwell = [state.name for state in states if not state.is_well]
    if unwell:
        raise Exit(f"not well: {', '.join(unwell)}", code=1)


@stack_task(
    words="service",
    service="Service to show, or several separated by commas; all if not given.",
    follow="Show new lines as they are written, until Ctrl-C or the end of the stack.",
    tail="Show only this many last lines, such as 20.",
    since="Show only lines since then: 10m, 90s, or a time such as 2026-01-31T12:00:00Z.",
)
def logs(
    request: StackRequest,
    service: list[str] = [],  # noqa: B006 - Invoke reads it
    follow: bool = False,
    tail: str = "",
    since: str = "",
) -> None:
    """Show what the services have written, merged by time, secrets masked: invoke logs api."""
    from stackproof.stack_file.replicas import expanded
    from stackproof.tasks import overview

    moment, count = overview.moment(since), overview.line_count(tail)
    resolved = prepare_or_record(request)
    stack = connect(resolved)
    conceal(stack.plan.secrets)
    chosen = expanded(names(service), stack.plan.replicas)
    for name in chosen:
        stack.service(name)
    width = max((len(planned.name) for planned in stack.plan.services), default=0)
    known = stack.running.logs(chosen, tail=count, since=moment)
    for line in chain(known, stack.running.follow(chosen) if follow else ()):
        say(f"{line.at[11:23]} {line.service:<{width}} | {line.text}")


@stack_task(show_secrets="Show the database's password as well.")
def urls(request: StackRequest, show_secrets: bool = False) -> None:
    """Show the address of each service, and the database's URL."""
    from stackproof.stack.postgres import database_services

    resolved = prepare(request)
    stack = connect(resolved)
    rows = [
        (service.name, str(endpoint.target), endpoint.url)
        for service in stack.plan.services
        for endpoint in service.endpoints
    ]
    databases = [service.name for service in database_services(stack.plan)]
    rows += [(name, "dsn", stack.dsn(name)) for name in databases]
    for line in table(rows, head=("SERVICE", "PORT", "ADDRESS")):
        (show if show_secrets else say)(line)


@stack_task(explain="Also show what the process engine sees differently from the stack file.")
def config(request: StackRequest, explain: bool = False) -> None:
    """Show every setting with its value and where it comes from, secrets masked."""
    from stackproof.tasks import overview

    resolved = prepare(request)
    for line in overview.describe_configuration(resolved, explain=explain):
        say(line)


@stack_task(isolation="Try from inside each service, or a trial one, what it could do outside.")
def doctor(request: StackRequest, isolation: bool = False) -> None:
    """Check what this machine and this project need, and name the remedy of each fault.

    Exit status 1 if something that is needed is missing.
    """
    from stackproof.tasks.doctor import examine

    if isolation:
        _show_receipt(request)
        return
    missing = 0
    for finding in examine(request):
        say_marked(finding.verdict, f"{finding.subject}: {finding.observed}")
        if finding.remedy:
            say(f"        → {finding.remedy}")
        missing += finding.verdict == "missing"
    if missing:
        what = "1 prerequisite is" if missing == 1 else f"{missing} prerequisites are"
        raise Exit(f"{what} missing", code=1)


def _show_receipt(request: StackRequest) -> None:
    from stackproof.tasks.doctor.isolation import receipt_of

    resolved = prepare(request)
    of_what, receipt = receipt_of(resolved)
    show_table([*receipt.rows()], head=("", "A SERVICE TRIES TO", "WHAT CAME BACK"))
    say(f"{of_what}: {receipt.summary}")
    notice = resolved.world.notice if receipt.world == "host" else ""
    for remedy in [notice] if notice else receipt.remedies():
        say(f"→ {remedy}")
    if receipt.weak and resolved.settings.isolation.strict:
        raise Exit("`isolation.strict` accepts nothing but enforced", code=1)


@stack_task(clear="Remove all snapshots; they are made again when tests need them.")
def snapshots(request: StackRequest, clear: bool = False) -> None:
    """Show the snapshots that isolated stacks start from, the most recently used one first."""
    from stackproof.isolation import snapshots as kept

    resolved = prepare(request)
    cache = resolved.settings.cache
    if clear:
        removed, problems = kept.clear(cache, resolved.engine_of)
        say("removed 1 snapshot" if removed == 1 else f"removed {removed} snapshots")
        for problem in problems:
            say(f"not removed: {problem}")
        return
    rows = [
        (found.path.name, found.engine, f"{found.size / (1 << 20):.0f} MiB", _moment(found.used))
        for found in kept.listed(cache)
    ]
    if rows:
        show_table(rows, head=("SNAPSHOT", "ENGINE", "SIZE", "LAST USED"))
    else:
        say("no snapshots")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


TASKS = (status, logs, urls, config, snapshots, doctor)
