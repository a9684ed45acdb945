"""Services that are meant to end: those whose name and restart policy say so."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stackproof.stack_file.model import Service

_NAME = re.compile(
    r"(?:^|[-_])(?:migrat\w*|seed\w*|init|setup|prestart|bootstrap|fixtures|loaddata)(?:$|[-_])"
)


def guess_one_shots(services: Sequence[Service]) -> tuple[str, ...]:
    """Names of services that end by themselves and that no other one waits for until then.

    Args:
        services: The services that are on.
    """
    awaited = {
        name
        for service in services
        for name, how in service.depends_on.items()
        if how.condition == "service_completed_successfully"
    }
    return tuple(
        service.name
        for service in services
        if _NAME.search(service.name)
        and service.name not in awaited
        and service.restart.policy in {"no", "on-failure"}
        and not service.ports
        and service.healthcheck is None
    )
