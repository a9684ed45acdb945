"""Faults by the name of the model: `-fail-once-`, `-always-fail-`, `-fail-3-`, `-http429-`.

The words stand anywhere in the name, between hyphens or at its end. Each failure is meant to reach
the application: a plain status 500 would be tried again by the clients themselves, which
`x-should-retry: false` forbids them (measured with the openai client and LiteLLM).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackproof.gateway.errors import ProviderError
from stackproof.gateway.namespaces import Namespace

SURFACE = {"x-should-retry": "false"}

_WORD = re.compile(
    r"(?:^|-)(?:(?P<once>fail-once)|(?P<always>always-fail)|fail-(?P<times>\d{1,3})"
    r"|http(?P<status>4\d\d|5\d\d))(?=-|$)"
)
_KINDS = {429: "rate_limit_error", 401: "authentication_error", 403: "permission_error"}


@dataclass(frozen=True)
class Fault:
    """A failure that is to be answered.

    Attributes:
        kind: `fail-once`, `always-fail`, `fail-N` or `httpNNN`.
        error: The answer.
    """

    kind: str
    error: ProviderError

    def to_json(self) -> dict[str, str]:
        """What the journal says of it."""
        return {"kind": self.kind, "unit": "surface", "reached_app": "reached"}


def next_fault(namespace: Namespace, model: str) -> Fault | None:
    """The fault that the name of a model asks for at this call; None if it is to succeed.

    Args:
        namespace: Where failures are counted, for each model apart.
        model: Name of the model.
    """
    match = _WORD.search(model)
    if match is None:
        return None
    if match["status"]:
        return Fault(f"http{match['status']}", _status_error(int(match["status"]), model))
    bound = 1 if match["once"] else int(match["times"]) if match["times"] else None
    if bound is not None and namespace.failures[model] >= bound:
        return None
    namespace.failures[model] += 1
    number = namespace.failures[model]
    kind = match[0].lstrip("-")
    message = f"The model {model} failed on purpose (failure {number})."
    return Fault(kind, ProviderError(500, message, kind="server_error", headers=SURFACE))


def _status_error(status: int, model: str) -> ProviderError:
    headers = {**SURFACE, **({"retry-after": "1"} if status == 429 else {})}  # noqa: PLR2004 - HTTP's
    kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")  # noqa: PLR2004 - HTTP's
    code = "rate_limit_exceeded" if kind == "rate_limit_error" else None
    message = f"The model {model} answers status {status} on purpose."
    return ProviderError(status, message, kind=kind, code=code, headers=headers)
