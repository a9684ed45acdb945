"""Tasks that begin, change and end the life of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.tasks.shell import prepare, say, stack_task

if TYPE_CHECKING:
    from stackproof.lifecycle import Choice


@stack_task(fresh="Take a running copy down first and start from nothing.")
def up(choice: Choice, fresh: bool = False) -> None:
    """Start the stack and wait until every service is ready.

    What runs already and is unchanged is reused; what changed is started again. Ends with a table
    of services and addresses. The stack stays up until `invoke down`.
    """
    from stackproof import lifecycle
    from stackproof.tasks.inspection import show_services

    blueprint = prepare(choice)
    started = lifecycle.up(blueprint, say, fresh=fresh)
    show_services(started.stack)


@stack_task()
def migrate(choice: Choice) -> None:
    """Bring the stack's own database to the newest schema (`migrate` in config/<stack>.yaml)."""
    from stackproof import lifecycle

    blueprint = prepare(choice)
    lifecycle.migrate(blueprint, lifecycle.connect(blueprint), say)


@stack_task()
def seed(choice: Choice) -> None:
    """Fill the stack's own database with the fixtures (`seed` in config/<stack>.yaml).

    Running it twice gives the same rows.
    """
    from stackproof import lifecycle

    blueprint = prepare(choice)
    lifecycle.seed(blueprint, lifecycle.connect(blueprint), say)


@stack_task()
def reset(choice: Choice) -> None:
    """Return all data to the state after seed: empty data folders, migrate, seed."""
    from stackproof import lifecycle

    blueprint = prepare(choice)
    lifecycle.reset(blueprint, say)


@stack_task(again="Build those that are there as well, without the cache.")
def build(choice: Choice, again: bool = False) -> None:
    """Build the images that are missing (compose engine; `up` does the same).

    Images are named by content, so an unchanged tree builds nothing.
    """
    from stackproof import lifecycle

    blueprint = prepare(choice)
    built = lifecycle.build(blueprint, say, again=again)
    say(f"built {', '.join(built)}" if built else "nothing to build")


@stack_task(
    force="Also take down a stack whose database has lost its marker, or that leads outside.",
    keep_data="Leave the data for the next `invoke up`; another `invoke down` removes them.",
)
def down(choice: Choice, force: bool = False, keep_data: bool = False) -> None:
    """Stop the stack and remove everything that it made: processes, ports, data, folders."""
    from stackproof import lifecycle

    blueprint = prepare(choice)
    if not lifecycle.down(blueprint, say, force=force, keep_data=keep_data):
        say(f"{blueprint.plan.project} is not up; nothing to do")


@stack_task()
def clean(choice: Choice) -> None:
    """Remove what runs left behind whose owner is gone, and nothing else.

    Every other task does the same before it starts; this one also lists what runs.
    """
    from stackproof.tasks.overview import clean_and_list

    for line in clean_and_list(choice):
        say(line)


TASKS = (build, up, migrate, seed, reset, down, clean)
