"""How a stack is when a wait has failed: who is not well, and the last lines of all services."""

from __future__ import annotations

from collections.abc import Iterator

from stackproof.engines.base import RunningPlan, ServiceStatus
from stackproof.errors import StackproofError

UNWELL_LINES, WELL_LINES = 20, 5
"""Last log lines that are told of a service that is not well, and of one that is."""

LONGEST_LINE = 300
"""Characters of a log line that are told."""

MOST_LINES = 120
"""Lines of a whole diagnosis; what the services that are well have written is cut first."""


def diagnose(running: RunningPlan, since: str = "") -> list[str]:
    """The services that are not well, and of each the first error or the last lines, as text.

    Args:
        running: The stack.
        since: When what has failed began (wall clock, ISO 8601, UTC); empty where nobody knows.

    Returns:
        At most `MOST_LINES` lines; never raises, since something has failed already.
    """
    try:
        states = running.status()
    except (StackproofError, OSError) as error:
        return [f"the states of the services could not be read: {error}"]
    unwell = [state for state in states if not state.is_well]
    lines = [f"not well: {describe(state)}" for state in unwell] or ["all services are well"]
    for state in (*unwell, *(state for state in states if state.is_well)):
        lines.extend(_last_lines(running, state, since))
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1 :] = [f"… {len(lines) - MOST_LINES + 1} further lines"]
    return lines


def _last_lines(running: RunningPlan, service: ServiceStatus, since: str) -> Iterator[str]:
    """The first error that a service wrote since a moment; its last lines where it is not well."""
    from stackproof.stack.first_error import first_error

    count = WELL_LINES if service.is_well else UNWELL_LINES
    try:
        lines = list(running.logs([service.name], since=since, tail=None if since else count))
        found = first_error([line.text for line in lines]) if since else None
        if since and not lines:
            lines = list(running.logs([service.name], tail=count))
    except (StackproofError, OSError) as error:
        yield f"the log of {service.name} could not be read: {error}"
        return
    if found is not None:
        yield f"first error of {service.name}: {found}"
        if service.is_well:
            return
    if not lines:
        yield f"{service.name} has written no output"
        return
    yield f"last lines of {service.name}:"
    for line in lines[-count:]:
        text = line.text if len(line.text) <= LONGEST_LINE else line.text[:LONGEST_LINE] + " …"
        yield f"  | {line.at} {text}"


def describe(status: ServiceStatus) -> str:
    """One service's state as a line."""
    health = f" ({status.health})" if status.health else ""
    is_told = status.exit_code is None or bool(status.detail)
    code = "" if is_told else f", last exit status {status.exit_code}"
    times = "once" if status.restarts == 1 else f"{status.restarts} times"
    restarts = f", restarted {times}" if status.restarts else ""
    detail = f": {status.detail}" if status.detail else ""
    return f"{status.name}: {status.state}{health}{code}{restarts}{detail}"
