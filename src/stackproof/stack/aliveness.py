"""Whether the services that should go on for ever still do."""

from __future__ import annotations

from collections.abc import Collection

from stackproof.engines.base import RunningPlan
from stackproof.errors import ServiceEnded
from stackproof.stack.diagnosis import UNWELL_LINES, describe

ENDED = frozenset({"exited", "failed", "removed"})
"""States of a service that nobody has stopped, and that does not come back by itself."""


def require_alive(running: RunningPlan, *, may_end: Collection[str] = ()) -> None:
    """Make sure that no service has ended by itself.

    Args:
        running: The stack.
        may_end: Services whose end is wanted.

    Raises:
        ServiceEnded: With its status and its last lines.
    """
    ended = [
        state for state in running.status() if state.state in ENDED and state.name not in may_end
    ]
    if not ended:
        return
    first = ended[0]
    lines = [line.text for line in running.logs([first.name], tail=UNWELL_LINES)]
    raise ServiceEnded(
        first.name,
        code=first.exit_code,
        verdict=first.detail or first.state,
        log_tail=lines,
        others=[describe(state) for state in ended[1:]],
    )
