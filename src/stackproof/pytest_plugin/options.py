"""What a session and its tests ask for: options, markers, and the stack that a test wants."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stackproof.stack.resolved import Choice
    from stackproof.stack_file.model import Limits

MARKERS = (
    "integration: a scenario that needs a running stack (nox -s integration)",
    "e2e: a scenario of a whole user journey (nox -s e2e)",
    "e2e_llm: a scenario that needs an LLM provider; only run when asked for (nox -s e2e_llm)",
    "stack(name, isolation=, profiles=, env=, limits=, shared=): the stack that `stack` gives",
)

ISOLATIONS = ("shared", "session", "module", "test")
"""Whose a stack is: the running one, or a new one of the session, the module or the test."""

MARKER_OPTIONS = frozenset({"isolation", "profiles", "env", "limits", "shared"})


def add_options(parser: pytest.Parser) -> None:
    """Add the options that choose a stack."""
    group = parser.getgroup("stackproof", "stackproof: tests against real services")
    group.addoption("--stack", help="name of config/<stack>.yaml")
    group.addoption(
        "--engine", choices=["process", "compose", "attached"], help="what runs the services"
    )
    group.addoption(
        "--isolation",
        choices=ISOLATIONS,
        help="whose the stack of a test is that does not say so by its marker",
    )
    group.addoption(
        "--llm",
        choices=["fake", "replay", "record", "live"],
        help="LLM provider of e2e_llm tests; giving it asks for them to run",
    )
    group.addoption("--stack-project", help="name of the running copy of the stack")
    group.addoption(
        "--stack-profile", action="append", default=[], help="profile to switch on in own stacks"
    )
    group.addoption("--stack-artifacts", type=Path, help="folder that failing tests write to")
    group.addoption("--stack-keep", action="store_true", help="leave a failing test's own stack up")


@dataclass(frozen=True)
class Wish:
    """The stack that a test asks for.

    Attributes:
        choice: Which stack, and how it differs from its configuration.
        isolation: One of `ISOLATIONS`; None for what the configuration says.
        shared: Services that it shares with other stacks; None for what the configuration says.
    """

    choice: Choice
    isolation: str | None
    shared: tuple[str, ...] | None = None

    def require_nothing_special(self) -> None:
        """Make sure that the stack is wanted as it is.

        Raises:
            NotAttached: If it is to have profiles, an environment or limits of its own.
        """
        from stackproof.errors import NotAttached

        choice = self.choice
        if choice.profiles or choice.service_environment or choice.service_limits:
            raise NotAttached(
                "the test wants profiles, an environment or limits of its own",
                observed="the stack is attached: somebody else has started it as it is",
            )

    @property
    def kind(self) -> Hashable:
        """Equal for two tests that could use the same stack."""
        choice = replace(self.choice, environment={})
        return repr(choice), self.shared


def wish_of(item: pytest.Item) -> Wish:
    """What a test's marker `stack` and the session's options ask for.

    Raises:
        pytest.UsageError: If the marker says something that it can't mean.
    """
    from stackproof.stack.resolved import Choice

    marker = item.get_closest_marker("stack")
    said: Mapping[str, Any] = marker.kwargs if marker else {}
    unknown = sorted(set(said) - MARKER_OPTIONS)
    if unknown:
        raise pytest.UsageError(
            f"the marker `stack` has no option {', '.join(unknown)}; "
            f"it has {', '.join(sorted(MARKER_OPTIONS))}"
        )
    isolation = said.get("isolation") or item.config.getoption("--isolation")
    if isolation is not None and isolation not in ISOLATIONS:
        raise pytest.UsageError(f"isolation={isolation!r} is none of {', '.join(ISOLATIONS)}")
    named = marker.args[0] if marker and marker.args else None
    profiles = dict.fromkeys([*item.config.getoption("--stack-profile"), *said.get("profiles", ())])
    choice = Choice(
        root=item.config.rootpath,
        environment=dict(os.environ),
        stack=named or item.config.getoption("--stack"),
        engine=item.config.getoption("--engine"),
        profiles=tuple(profiles),
        service_environment=said.get("env", {}),
        service_limits={
            service: _limits(service, bounds) for service, bounds in said.get("limits", {}).items()
        },
    )
    shared = said.get("shared")
    return Wish(choice, isolation, None if shared is None else tuple(shared))


def _limits(service: str, bounds: Mapping[str, Any]) -> Limits:
    from stackproof.stack_file import parse_size
    from stackproof.stack_file.model import Limits

    unknown = sorted(set(bounds) - {"cpus", "memory", "pids"})
    if unknown:
        raise pytest.UsageError(f"limits of {service}: {', '.join(unknown)} is unknown")
    memory = bounds.get("memory")
    size = parse_size(memory) if isinstance(memory, str) else memory
    return Limits(bounds.get("cpus"), size, bounds.get("pids"))
