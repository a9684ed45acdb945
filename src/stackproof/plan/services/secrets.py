"""Collects the secret values of a plan, so that they can be masked everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from stackproof.plan.model import ServicePlan
from stackproof.redaction import COMMON, SHORTEST
from stackproof.settings.model import Settings

WORDS = frozenset(
    "admin changeme default demo dummy example fake guest local none null pass password "
    "placeholder root sample secret test testing tests token user username".split()
)
"""What people write where a secret must stand and none is needed; logs are full of these."""

TOLD = "GATEWAY_SECRETS"
"""The variable that tells a gateway what its recordings must not hold."""


def secrets_of(
    settings: Settings, services: Sequence[ServicePlan]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The values to mask, and sentences about those that can't be.

    A value counts by its variable's name or as the password of a URL. One that is also a public
    word of the stack, such as a password `postgres`, or a common word, such as a key `test`, is
    masked only if the settings list its variable under `secrets`: masking it would make every log
    unreadable. A switch such as
    `CHECK_TOKEN=true` is no secret.

    Args:
        settings: The settings.
        services: The planned services.
    """
    listed: dict[str, str] = {}
    guessed: dict[str, str] = {}
    groups = [("the settings", settings.variables)]
    groups += [(service.name, service.environment) for service in services]
    public = {settings.stack, settings.project, *(service.name for service in services)}
    for owner, group in groups:
        for name, value in group.items():
            if name in settings.secrets:
                listed.setdefault(value, f"{name} of {owner}")
            elif settings.is_secret(name) and not _is_switch(value):
                guessed.setdefault(value, f"{name} of {owner}")
            elif password := _password(value):
                guessed.setdefault(password, f"the password in {name} of {owner}")
            else:
                public.add(value)
    common = {value for value in guessed if value.lower() in WORDS}
    open_ones = {
        value: None for value in guessed if value in public | common and value not in listed
    }
    known = {**guessed, **listed}
    masked = [value for value in (*listed, *guessed) if value and value not in open_ones]
    notices = [
        f"{guessed[value]} is not masked, since {_why(value, public)}; choose another one, or list "
        "its variable under `secrets`"
        for value in open_ones
        if value and not _is_switch(value)
    ]
    notices += [
        f"{known[value]} is not masked: a secret has at least {SHORTEST} characters, and is no "
        "word such as true; choose another one"
        for value in masked
        if len(value.strip()) < SHORTEST or (value in listed and _is_switch(value))
    ]
    return tuple(dict.fromkeys(masked)), tuple(notices)


def _why(value: str, public: set[str]) -> str:
    return "the same word is a name in this stack" if value in public else "it is a common word"


def _is_switch(value: str) -> bool:
    return value.strip().lower() in COMMON | {"yes", "no", "on", "off", "0", "1"}


def with_secrets_told(
    services: Sequence[ServicePlan], gateway: str | None, secrets: Sequence[str]
) -> tuple[ServicePlan, ...]:
    """The services, with a gateway that records or replays told what no recording may hold.

    Args:
        services: The planned services.
        gateway: Name of the gateway; None where there is none.
        secrets: The values that are masked everywhere.
    """
    return tuple(
        replace(one, environment={TOLD: json.dumps(list(secrets)), **one.environment})
        if one.name == gateway and secrets and _keeps_recordings(one)
        else one
        for one in services
    )


def _keeps_recordings(gateway: ServicePlan) -> bool:
    told = re.search(r"(?:^|\n)--llm[=\n]([a-z]+)", "\n".join(gateway.argv))
    mode = told[1] if told else gateway.environment.get("GATEWAY_LLM", "")
    return mode in {"record", "replay"}


def _password(value: str) -> str:
    if "://" not in value or "@" not in value:
        return ""
    try:
        return unquote(urlsplit(value).password or "")
    except ValueError:
        return ""
