"""The gateway's part of a plan: the token of the run, and the names that it answers to.

The token is no part of a snapshot's key: it changes with each run, and what
runs stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from stackproof.errors import ConfigError
from stackproof.plan.addressing.addresses import DOCKER_HOST, HOST
from stackproof.plan.model import Plan, ServicePlan

TOKEN = "GATEWAY_TOKEN"  # noqa: S105 - the name of a variable
ALLOWED_HOSTS = "GATEWAY_ALLOWED_HOSTS"
ASKING = frozenset({"record", "live"})
"""Modes of the gateway in which every call needs the token."""

_FORM = re.compile(r"[A-Za-z0-9_-]{16,200}")


def with_names(service: ServicePlan, names: Mapping[str, str]) -> ServicePlan:
    """A gateway that answers to each of its names; those of one label it knows by itself.

    Args:
        service: The gateway.
        names: Every name of every service, to the service.
    """
    own = sorted(name for name, owner in names.items() if owner == service.name and "." in name)
    if not own or service.environment.get(ALLOWED_HOSTS):
        return service
    return replace(service, environment={**service.environment, ALLOWED_HOSTS: ",".join(own)})


def with_token(plan: Plan, token: str) -> Plan:
    """The plan with the token where the gateway and its clients find it.

    The gateway has it in its environment. Where calls cost money its clients need it too: it is put
    into every address of the gateway in their environments, since a base URL and a key are all that
    each client of a provider has, and the key is the stack's own.

    A token that the stack file gives to the gateway stays.

    Args:
        plan: A plan without a token.
        token: The token of the run.

    Raises:
        ConfigError: If the token that the user gave can't be one.
    """
    found = next(
        (service for service in plan.services if service.name == plan.gateway_service), None
    )
    if found is None or plan.engine == "attached":
        return plan
    token = found.environment.get(TOKEN) or token
    if not _FORM.fullmatch(token):
        raise ConfigError(
            f"the token of {found.name} can't be used in a URL",
            key=TOKEN,
            remedy="use 16 to 200 letters, digits, - and _, as `openssl rand -hex 16` makes them",
        )
    services = tuple(_equipped(service, found, plan, token) for service in plan.services)
    notices = plan.notices
    if _costs_money(found) and services == _only_gateway(plan, found, token):
        notice = (
            f"{found.name} asks a real provider, and no variable of a service holds its address; "
            "each call needs the token: see docs/reference/gateway.md"
        )
        notices = (*notices, notice)
    return replace(
        plan,
        services=services,
        notices=notices,
        secrets=tuple(dict.fromkeys((*plan.secrets, token))),
        gateway_token=token,
    )


def _only_gateway(plan: Plan, gateway: ServicePlan, token: str) -> tuple[ServicePlan, ...]:
    own = _own(gateway, token)
    return tuple(own if service.name == gateway.name else service for service in plan.services)


def _own(gateway: ServicePlan, token: str) -> ServicePlan:
    return replace(gateway, environment={**gateway.environment, TOKEN: token})


def _equipped(service: ServicePlan, gateway: ServicePlan, plan: Plan, token: str) -> ServicePlan:
    if service.name == gateway.name:
        return _own(service, token)
    if not _costs_money(gateway):
        return service
    address = _address_of(gateway, plan)
    environment = {
        name: address.sub(rf"\g<0>/k/{token}", value) for name, value in service.environment.items()
    }
    return replace(service, environment=environment)


def _costs_money(gateway: ServicePlan) -> bool:
    told = re.search(r"(?:^|\x1f)--llm[=\x1f]([a-z]+)", "\x1f".join(gateway.argv))
    mode = told[1] if told else gateway.environment.get("GATEWAY_LLM", "")
    return mode in ASKING


def _address_of(gateway: ServicePlan, plan: Plan) -> re.Pattern[str]:
    """Finds the front of each URL that leads to the gateway, unless it has a token already."""
    ports = "|".join(str(endpoint.port) for endpoint in gateway.endpoints) or "(?!)"
    here = f"(?:{'|'.join(map(re.escape, (HOST, 'localhost', DOCKER_HOST)))}):(?:{ports})"
    names = "|".join(re.escape(name) for name in (*plan.gateway_names, gateway.name))
    return re.compile(
        rf"(?i:https?://(?:[^/@\s]*@)?(?:{here}|(?:{names})(?::\d{{1,5}})?))(?![\w.:-]|/k/)"
    )
