"""What the Docker Engine's refusals to start a container mean."""

from __future__ import annotations

import re

from docker.errors import APIError

from stackproof.errors import PortTaken, StackproofError, StartFailed
from stackproof.plan.model import ServicePlan

_PORT = re.compile(r"(?:\d+\.\d+\.\d+\.\d+|\[::\]):(\d+)")
_TAKEN = re.compile(r"port is already allocated|address already in use", re.IGNORECASE)


def start_failure(service: ServicePlan, error: APIError) -> StackproofError:
    """The error for a container that could not be started.

    Args:
        service: The service.
        error: What the Docker Engine answered.
    """
    text = str(error.explanation or error)
    if _TAKEN.search(text):
        match = _PORT.search(text)
        port = int(match[1]) if match else 0
        return PortTaken(service.name, port=port, holder=text.rsplit(": ", 2)[-2])
    remedy = "the Docker Engine's words stand above"
    if "executable file not found" in text or "no such file or directory" in text:
        remedy = "check `command` and `entrypoint`: the program must be in the image"
    elif "no space left" in text:
        remedy = "`docker system df` shows what takes the Docker Engine's disk space"
    return StartFailed(f"{service.name} could not be started", observed=text, remedy=remedy)
