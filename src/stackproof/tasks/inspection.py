"""Tasks that look at a stack, its configuration and this machine, and change nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from stackproof.tasks.shell import conceal, names, prepare, say, show, stack_task, table

if TYPE_CHECKING:
    from stackproof.lifecycle import Choice
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
    for line in table(rows, head=("SERVICE", "STATE", "ADDRESS", "")):
        say(line)


@stack_task()
def status(choice: Choice) -> None:
    """Show each service's state, process, restarts and what it waits for.

    Exit status 1 if a service is not well.
    """
    from stackproof import lifecycle
    from stackproof.tasks import overview

    blueprint = prepare(choice)
    stack = lifecycle.connect(blueprint)
    states = stack.running.status()
    rows = [
        (
            one.name,
            one.state,
            one.health or "-",
            str(one.pid or "-"),
            str(one.restarts),
            "-" if one.ready_after is None else f"{one.ready_after:.2f} s",
            one.detail,
        )
        for one in states
    ]
    head = ("SERVICE", "STATE", "HEALTH", "PID", "RESTARTS", "READY AFTER", "")
    for line in table(rows, head=head):
        say(line)
    for line in overview.changes_since_start(blueprint):
        say(f"changed since it was started: {line}")
    frozen = overview.stopped_supervisor(blueprint.run)
    if frozen:
        raise Exit(frozen, code=1)
    unwell = [one.name for one in states if not one.is_well]
    if unwell:
        raise Exit(f"not well: {', '.join(unwell)}", code=1)


@stack_task(
    service="Service to show, or several, comma-separated; none shows all.",
    follow="Go on with new lines until Ctrl-C or until the stack is gone.",
    tail="Only so many last lines.",
    since="Only lines since then: 10m, 90s, or a time such as 2026-01-31T12:00:00Z.",
)
def logs(
    choice: Choice,
    service: list[str] = [],  # noqa: B006 - Invoke reads it
    follow: bool = False,
    tail: int = 0,
    since: str = "",
) -> None:
    """Show what the services have written, merged by time, secrets masked."""
    from stackproof import lifecycle
    from stackproof.tasks import overview

    moment = overview.moment(since)
    blueprint = prepare(choice)
    stack = lifecycle.connect(blueprint)
    chosen = names(service)
    for name in chosen:
        stack.service(name)
    width = max(len(one.name) for one in stack.plan.services)
    for line in stack.running.logs(chosen, tail=tail or None, since=moment):
        say(f"{line.at[11:23]} {line.service:<{width}} | {line.text}")
    if follow:
        for line in stack.running.follow(chosen):
            say(f"{line.at[11:23]} {line.service:<{width}} | {line.text}")


@stack_task(show_secrets="Show the database's password as well.")
def urls(choice: Choice, show_secrets: bool = False) -> None:
    """Show the address of each service, and the database's URL."""
    from stackproof import lifecycle
    from stackproof.stack.database import database_services

    blueprint = prepare(choice)
    stack = lifecycle.connect(blueprint)
    rows = [
        (service.name, str(endpoint.target), endpoint.url)
        for service in stack.plan.services
        for endpoint in service.endpoints
    ]
    rows += [(one.name, "dsn", stack.dsn(one.name)) for one in database_services(stack.plan)]
    for line in table(rows, head=("SERVICE", "PORT", "ADDRESS")):
        (show if show_secrets else say)(line)


@stack_task(explain="Also show what the process engine sees differently from the stack file.")
def config(choice: Choice, explain: bool = False) -> None:
    """Show every setting with its value and where it comes from, secrets masked."""
    from stackproof.tasks import overview

    blueprint = prepare(choice)
    for line in overview.describe_configuration(blueprint, explain=explain):
        say(line)


@stack_task()
def doctor(choice: Choice) -> None:
    """Check what this machine and this project need, and name the remedy of each fault.

    Exit status 1 if something that is needed is missing.
    """
    from stackproof.tasks.doctor import examine

    missing = 0
    for finding in examine(choice):
        say(f"{finding.verdict:<7} {finding.subject}: {finding.observed}")
        if finding.remedy:
            say(f"        → {finding.remedy}")
        missing += finding.verdict == "missing"
    if missing:
        what = "1 prerequisite is" if missing == 1 else f"{missing} prerequisites are"
        raise Exit(f"{what} missing", code=1)


@stack_task(clear="Remove all of them; they are made again when they are needed.")
def snapshots(choice: Choice, clear: bool = False) -> None:
    """Show the snapshots that isolated stacks start from, the most recently used one first."""
    from stackproof.isolation import snapshots as kept

    blueprint = prepare(choice)
    cache = blueprint.settings.cache
    if clear:
        removed, problems = kept.clear(cache, blueprint.engine_of)
        say(f"removed {removed} snapshots")
        for problem in problems:
            say(f"not removed: {problem}")
        return
    rows = [
        (one.path.name, one.engine, f"{one.size / (1 << 20):.0f} MiB", _moment(one.used))
        for one in kept.listed(cache)
    ]
    head = ("SNAPSHOT", "ENGINE", "SIZE", "LAST USED")
    for line in table(rows, head=head) if rows else ["no snapshots"]:
        say(line)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


TASKS = (status, logs, urls, config, snapshots, doctor)
