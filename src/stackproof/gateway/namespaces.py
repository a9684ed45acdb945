"""Namespaces: tests that share a gateway never meet, since all state belongs to one of them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from starlette.datastructures import Headers

from stackproof.gateway.journal import Journal

DEFAULT = "default"
KEY_PREFIX = "sk-e2e-"
FIRST_SECOND = 1_750_000_000
"""Where each namespace's clock begins (`created` of an answer), so that answers are stable."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,120}")


@dataclass
class Namespace:
    """All state of one namespace.

    Attributes:
        name: Its name.
        journal: What was asked in it.
        failures: How often each model has failed so far.
    """

    name: str
    journal: Journal = field(default_factory=Journal)
    failures: Counter[str] = field(default_factory=Counter)

    def next_call(self) -> int:
        """Number of a new call, from 1."""
        self.journal.count += 1
        return self.journal.count


class Namespaces:
    """Every namespace that was used, made on first use."""

    def __init__(self) -> None:
        self._known: dict[str, Namespace] = {}

    def get(self, name: str) -> Namespace:
        """The namespace of a name."""
        return self._known.setdefault(name, Namespace(name))

    def reset(self, name: str) -> None:
        """Forget everything of a namespace."""
        self._known.pop(name, None)

    def names(self) -> list[str]:
        """Names of all that were used."""
        return sorted(self._known)


def namespace_of(path_name: str | None, headers: Headers) -> str:
    """Which namespace a request belongs to.

    In this order: `/t/<name>/` in its path, an API key `sk-e2e-<name>`, the header X-Test-Id.

    Args:
        path_name: The name in the path, if there is one.
        headers: The request's headers.
    """
    key = api_key(headers)
    from_key = key.removeprefix(KEY_PREFIX) if key.startswith(KEY_PREFIX) else None
    for name in (path_name, from_key, headers.get("x-test-id")):
        if name and _NAME.fullmatch(name):
            return name
    return DEFAULT


def api_key(headers: Headers) -> str:
    """The API key of a request; empty if it has none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-api-key", "").strip()
