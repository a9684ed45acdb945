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


def diagnose(running: RunningPlan) -> list[str]:
    """The services that are not well and the last lines of all, as lines of text.

    Args:
        running: The stack.

    Returns:
        At most `MOST_LINES` lines; never raises, since something has failed already.
    """
    try:
        states = running.status()
    except (StackproofError, OSError) as error:
        return [f"the stack could not be asked how it is: {error}"]
    unwell = [one for one in states if not one.is_well]
    lines = [f"not well: {describe(one)}" for one in unwell] or ["all services are well"]
    for one in (*unwell, *(one for one in states if one.is_well)):
        lines.extend(_last_lines(running, one))
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1 :] = [f"… {len(lines) - MOST_LINES + 1} further lines"]
    return lines


def _last_lines(running: RunningPlan, service: ServiceStatus) -> Iterator[str]:
    count = WELL_LINES if service.is_well else UNWELL_LINES
    try:
        lines = list(running.logs([service.name], tail=count))
    except (StackproofError, OSError) as error:
        yield f"the log of {service.name} could not be read: {error}"
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
    code = "" if status.exit_code is None else f", last exit status {status.exit_code}"
    restarts = f", restarted {status.restarts} times" if status.restarts else ""
    detail = f": {status.detail}" if status.detail else ""
    return f"{status.name}: {status.state}{health}{code}{restarts}{detail}"
