"""Collects the secret values of a plan, so that they can be masked everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from stackproof.plan.model import ServicePlan
from stackproof.settings.model import Settings


def secrets_of(
    settings: Settings, services: Sequence[ServicePlan]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The values to mask, and sentences about those that can't be.

    A value counts by its variable's name or as the password of a URL. One that is also a public
    word of the stack, such as a password `postgres`, is masked only if the settings list its
    variable under `secrets`: masking it would make every log unreadable.

    Args:
        settings: The settings.
        services: The planned services.
    """
    listed: dict[str, None] = {}
    guessed: dict[str, str] = {}
    groups = [("the settings", settings.variables)]
    groups += [(service.name, service.environment) for service in services]
    public = {settings.stack, settings.project, *(service.name for service in services)}
    for owner, group in groups:
        for name, value in group.items():
            if name in settings.secrets:
                listed[value] = None
            elif settings.is_secret(name):
                guessed.setdefault(value, f"{name} of {owner}")
            elif password := _password(value):
                guessed.setdefault(password, f"the password in {name} of {owner}")
            else:
                public.add(value)
    open_ones = [value for value in guessed if value in public and value not in listed]
    masked = [value for value in (*listed, *guessed) if value and value not in open_ones]
    notices = tuple(
        f"{guessed[value]} is not masked, since the same word is a name in this stack; choose "
        "another one, or list its variable under `secrets`"
        for value in open_ones
        if value
    )
    return tuple(dict.fromkeys(masked)), notices


def _password(value: str) -> str:
    if "://" not in value or "@" not in value:
        return ""
    try:
        return unquote(urlsplit(value).password or "")
    except ValueError:
        return ""
