"""Pausing all processes of a container, and resuming them."""

from __future__ import annotations

from typing import Any

from docker.errors import APIError

from stackproof.errors import StackproofError
from stackproof.waiting import Clock, Deadline

BUSY = "unable to freeze"
"""What runc says when processes come and go faster than its freezer can stop them all."""

TRY_SECONDS = 10.0
PAUSE = 0.1
CLOCK = Clock()


def freeze(api: Any, container: str, service: str, *, clock: Clock = CLOCK) -> None:
    """Pause a container; again for some seconds where its control group was too busy.

    Args:
        api: The Docker Engine.
        container: Its id.
        service: Name of the service.
        clock: Time and sleep.

    Raises:
        StackproofError: If it can't be paused, with the Docker Engine's words.
    """
    deadline = Deadline(TRY_SECONDS, clock)
    while True:
        try:
            api.pause(container)
        except APIError as error:
            if BUSY not in str(error.explanation) or deadline.passed:
                raise _refused("paused", service, error) from None
            clock.sleep(PAUSE)
        else:
            return


def thaw(api: Any, container: str, service: str) -> None:
    """Let a paused container go on.

    Args:
        api: The Docker Engine.
        container: Its id.
        service: Name of the service.

    Raises:
        StackproofError: If it can't, with the Docker Engine's words.
    """
    try:
        api.unpause(container)
    except APIError as error:
        raise _refused("unpaused", service, error) from None


def _refused(what: str, service: str, error: APIError) -> StackproofError:
    return StackproofError(
        f"{service} could not be {what}",
        observed=str(error.explanation or error),
        remedy="`invoke status` shows its state",
    )
