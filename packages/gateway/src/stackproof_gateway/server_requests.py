"""A request to a server that is compatible with OpenAI, as OpenAI would have it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.server_rules import Server

Body = dict[str, Any]


@dataclass(frozen=True)
class Constraint:
    """What binds an answer.

    Attributes:
        schema: JSON schema of the answer.
        quoted: Whether the answer is JSON; else it is a text that fits the schema.
    """

    schema: Any
    quoted: bool


def adapted(body: Body, server: Server, deployment: str | None = None) -> Body:
    """A request without what its server ignores, and with the model that it means.

    Args:
        body: The request.
        server: The server that it is for.
        deployment: The deployment in its path; it is the model, whatever the body says.
    """
    if server.is_openai:
        return body
    left = {drop.field for drop in server.drops if drop.fits(body)}
    changed = {name: value for name, value in body.items() if name not in left}
    model = deployment or body.get("model") or _first(body.get(server.fallbacks)) or server.default
    if model:
        changed["model"] = model
    return changed


def _first(models: Any) -> Any:
    return models[0] if isinstance(models, list) and models else None


def constraint_of(body: Body, server: Server) -> Constraint | None:
    """What binds the answer beside OpenAI's own fields; None if nothing does.

    Raises:
        ProviderError: If there are several, or one can't be read.
    """
    found = list(_constraints(body, server.constraints)) if server.constraints else []
    if len(found) > 1:
        raise ProviderError(400, "You can only use one kind of constraints for structured outputs "
                            "('json', 'regex' or 'choice').")  # fmt: skip
    if not found:
        return None
    kind, param, value = found[0]
    if kind == "list" and isinstance(value, list) and value:
        return Constraint({"enum": value}, quoted=False)
    if kind == "expression" and isinstance(value, str):
        return Constraint({"type": "string", "pattern": f"^(?:{value})$"}, quoted=False)
    schema = _schema(value) if kind == "schema" else None
    if not isinstance(schema, dict):
        raise ProviderError(400, f"Invalid '{param}'.", param=param)
    return Constraint(schema, quoted=True)


def _constraints(
    body: Body, constraints: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, str, Any]]:
    for kind, params in constraints.items():
        for param in params:
            name, _, below = param.partition(".")
            value = body.get(name)
            if below:
                value = value.get(below) if isinstance(value, dict) else None
            if value is not None:
                yield kind, param, value


def _schema(value: Any) -> Any:
    """A schema, which may be JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
