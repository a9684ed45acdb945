"""Collects the secret values of a plan, so that they can be masked everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import Install
from stackproof.settings.model import Settings
from stackproof.stack_file.granted_files import FOLDERS
from stackproof.stack_file.regular_files import read_text_file
from stackproof_redaction import COMMON, SHORTEST

WORDS = frozenset(
    "admin changeme default demo dummy example fake guest local none null pass password "
    "placeholder root sample secret test testing tests token user username".split()
)
"""What people write where a secret must stand and none is needed; logs are full of these."""

LARGEST_SECRET = 64 * 1024
"""Bytes of a secret's file; what is larger is no password or key."""

TOLD = "GATEWAY_SECRETS"
"""The variable that tells a gateway what its recordings must not hold."""


def secrets_of(
    settings: Settings, services: Sequence[ServicePlan]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The values to mask, and sentences about those that can't be.

    A value counts by its variable's name or as the password of a URL. One that is also a public
    word of the stack, such as a password `postgres`, or a common word, such as a key `test`, is
    masked only if the settings list its variable under `secrets`: masking it would make every log
    unreadable. A switch such as `CHECK_TOKEN=true` is no secret.

    Args:
        settings: The settings.
        services: The planned services.
    """
    found = _found(settings, services)
    listed, guessed = found.listed, found.guessed
    public = found.public | {value for value in guessed if value.lower() in WORDS}
    unmasked = [value for value in guessed if value in public and value not in listed]
    masked = dict.fromkeys(value for value in (*listed, *guessed) if value not in unmasked)
    masked.pop("", None)
    known = {**guessed, **listed}
    notices = [
        f"{guessed[value]} is not masked, since {_why(value, found.public)}; choose another value, "
        "or list its variable under `secrets`"
        for value in unmasked
        if value and not _is_switch(value)
    ]
    notices += [
        f"{known[value]} is not masked: a secret has at least {SHORTEST} "
        "characters, and is no word such as true; choose another value"
        for value in masked
        if len(value.strip()) < SHORTEST or (value in listed and _is_switch(value))
    ]
    return tuple(masked), tuple(notices)


@dataclass
class _Found:
    """The values that are, or may be, secret, with where each stands; and the public ones."""

    listed: dict[str, str]
    guessed: dict[str, str]
    public: set[str]


def _found(settings: Settings, services: Sequence[ServicePlan]) -> _Found:
    listed: dict[str, str] = {}
    guessed: dict[str, str] = {}
    groups = [("the settings", settings.variables)]
    groups += [(service.name, service.environment) for service in services]
    groups += [
        (f"the Dockerfile of {service.name}", {**install.environment, **_options(install)})
        for service in services
        if service.runtime is not None
        for install in service.runtime.installs
    ]
    for service in services:
        guessed |= _granted(service)
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
    return _Found(listed, guessed, public)


def _granted(service: ServicePlan) -> dict[str, str]:
    """The secrets that a service is granted, by their values."""
    found: dict[str, str] = {}
    for mount in service.outside:
        in_folder = PurePosixPath(mount.target).is_relative_to(FOLDERS["secrets"])
        if mount.is_file and (mount.is_secret or in_folder):
            found |= _in_file(Path(mount.source), f"{mount.target} of {service.name}")
    for granted in service.granted:
        if granted.is_secret:
            found |= _of_content(granted.content or "", f"{granted.target} of {service.name}")
    return found


def _in_file(path: Path, owner: str) -> dict[str, str]:
    """The value of a secret's file."""
    try:
        return _of_content(read_text_file(path, LARGEST_SECRET), owner)
    except (OSError, UnicodeDecodeError):
        return {}  # a key in binary form, or no file yet: nobody shows that as a text


def _of_content(content: str, owner: str) -> dict[str, str]:
    """The value of a secret, which may end in a line break that is none of it."""
    value = content.rstrip("\n")
    return {value: owner} if value else {}


def _options(install: Install) -> dict[str, str]:
    """The addresses of indexes and packages, which may have passwords in them."""
    texts = (*install.options, *install.packages)
    return {f"address {number}": text for number, text in enumerate(texts) if "://" in text}


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
        replace(service, environment={TOLD: json.dumps(list(secrets)), **service.environment})
        if service.name == gateway and secrets and _keeps_recordings(service)
        else service
        for service in services
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
