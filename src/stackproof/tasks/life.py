"""Tasks that begin, change and end the life of a stack."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from stackproof.tasks.display import conceal, progress, say
from stackproof.tasks.shell import (
    INTERRUPTED,
    connect,
    prepare,
    prepare_or_record,
    stack_task,
)

if TYPE_CHECKING:
    from stackproof.lifecycle import ResolvedStack, StackRequest


@stack_task(
    fresh="Take a running copy down first and start with empty data.",
    watch="Then follow the files until Ctrl-C, which leaves the stack up.",
)
def up(request: StackRequest, fresh: bool = False, watch: bool = False) -> None:
    """Start the stack and wait until every service is ready.

    What runs already and is unchanged is reused; what changed is started again. Ends with a table
    of services and addresses. The stack stays up until `invoke down`.

    With --watch, a saved file restarts the services that run from it, a new lock rebuilds them, and
    the stack file and the stack config apply, each as a further `invoke up` would do it; services
    with `develop.watch` do what that says. Ctrl-C ends the watch and leaves the stack up.
    """
    from stackproof import lifecycle
    from stackproof.tasks.inspection import show_services

    if watch:
        from stackproof.lifecycle.watching import require_events

        require_events()
    resolved = prepare(request)
    with progress(f"starting {resolved.plan.project}") as tell:
        started = lifecycle.up(resolved, tell, fresh=fresh)
    show_services(started.stack)
    if watch:
        _watch(resolved)


def _watch(resolved: ResolvedStack) -> None:
    from stackproof.lifecycle.watching import watch

    project = resolved.plan.project
    say(f"watching the files of {project}; Ctrl-C ends the watch and leaves the stack up")
    try:
        watch(resolved, say, learn=conceal)
    except KeyboardInterrupt:
        ended = f"the watch has ended; {project} stays up until `invoke down`"
        raise Exit(ended, code=INTERRUPTED) from None


@stack_task()
def migrate(request: StackRequest) -> None:
    """Bring the stack's own database to the newest schema (`migrate` in config/<stack>.yaml)."""
    from stackproof import lifecycle

    resolved = prepare(request)
    stack = connect(resolved)
    with progress("migrating") as tell:
        lifecycle.migrate(resolved, stack, tell)


@stack_task()
def seed(request: StackRequest) -> None:
    """Fill the stack's own database with the fixtures (`seed` in config/<stack>.yaml).

    Running it twice gives the same rows.
    """
    from stackproof import lifecycle

    resolved = prepare(request)
    stack = connect(resolved)
    with progress("seeding") as tell:
        lifecycle.seed(resolved, stack, tell)


@stack_task()
def reset(request: StackRequest) -> None:
    """Return all data to the state after seed: empty data folders, migrate, seed."""
    from stackproof import lifecycle

    resolved = prepare(request)
    with progress(f"resetting {resolved.plan.project}") as tell:
        lifecycle.reset(resolved, tell)


@stack_task(again="Build all images, without the cache.")
def build(request: StackRequest, again: bool = False) -> None:
    """Build the images that are missing (compose engine; `up` does the same).

    Images are named by content, so an unchanged tree builds nothing.
    """
    from stackproof import lifecycle

    resolved = prepare(request)
    with progress("building images") as tell:
        built = lifecycle.build(resolved, tell, again=again)
    say(f"built {', '.join(built)}" if built else "nothing to build")


@stack_task(
    force="Also take down a stack whose database has lost its marker, or that leads outside.",
    keep_data="Leave the data for the next `invoke up`; another `invoke down` removes them.",
)
def down(request: StackRequest, force: bool = False, keep_data: bool = False) -> None:
    """Stop the stack and remove everything that it made: processes, ports, data, folders.

    Broken or deleted files don't keep it alive: what runs is known from its record. --project ends
    a stack of that name from any folder.
    """
    from stackproof import lifecycle
    from stackproof.tasks.overview import still_running

    resolved = prepare_or_record(request)
    with progress(f"stopping {resolved.plan.project}", partial(still_running, resolved)) as tell:
        if isinstance(resolved, lifecycle.RecordedStack):
            resolved.down(tell, keep_data=keep_data)
            return
        found = lifecycle.down(resolved, tell, force=force, keep_data=keep_data)
    if not found:
        say(f"{resolved.plan.project} is not up; nothing to do")


@stack_task()
def clean(request: StackRequest) -> None:
    """Remove what runs left behind whose owner is gone, and nothing else.

    Every other task does the same before it starts; this one also lists what runs.
    """
    from stackproof.tasks.overview import clean_and_list

    with progress("removing what is left"):
        for line in clean_and_list(request):
            say(line)


TASKS = (build, up, migrate, seed, reset, down, clean)
