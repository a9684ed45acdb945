"""What a session and its tests ask for: options, markers, and the stack that a test wants."""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stackproof.pytest_plugin.markers import ISOLATIONS, StackMarker, read_marker
from stackproof.pytest_plugin.repeating import runs_wanted

if TYPE_CHECKING:
    from stackproof.stack.resolved import StackRequest

MARKERS = (
    "integration: a scenario that needs a running stack (nox -s integration)",
    "e2e: a scenario of a whole user journey (nox -s e2e)",
    "e2e_llm: a scenario that needs an LLM provider; only run when asked for (nox -s e2e_llm)",
    "stack(name, isolation=, profiles=, env=, limits=, shared=): the stack that `stack` gives",
)


COLD = "--cold"


def add_options(parser: pytest.Parser) -> None:
    """Add the options that choose a stack."""
    group = parser.getgroup("stackproof", "stackproof: tests against real services")
    group.addoption("--stack", help="name of config/<stack>.yaml")
    group.addoption(
        "--engine",
        choices=["process", "compose", "attached"],
        help="what runs the services; with process, STACKPROOF_WORLD says what they see",
    )
    group.addoption(
        "--isolation",
        choices=ISOLATIONS,
        help="whose a test's stack is, unless the test's marker `stack` says so",
    )
    group.addoption(
        "--default-isolation",
        choices=ISOLATIONS,
        help="whose the stack of a test without a marker `stack` is",
    )
    group.addoption(
        "--llm",
        choices=["fake", "replay", "record", "live"],
        help="LLM provider of e2e_llm tests; giving it asks for them to run",
    )
    group.addoption("--stack-project", help="name of the running copy of the stack")
    group.addoption(
        "--stack-profile",
        action="append",
        default=[],
        help="profile to switch on in isolated stacks",
    )
    group.addoption(
        "--stack-without",
        action="append",
        default=[],
        help="service that isolated stacks leave out",
    )
    group.addoption(
        "--default-path",
        action="append",
        default=[],
        metavar="PATH",
        help="a path of the command line that gives way to others, if there are any",
    )
    group.addoption("--stack-artifacts", type=Path, help="folder that failing tests write to")
    group.addoption("--stack-coverage", type=Path, help="folder for coverage of isolated stacks")
    group.addoption(COLD, action="store_true", help="start each service of Python anew")
    group.addoption(
        "--stack-keep", action="store_true", help="leave a failing test's isolated stack up"
    )


def leave_default_paths(config: pytest.Config) -> None:
    """Run the paths that a person has named, instead of those that run by default."""
    given = getattr(config.option, "file_or_dir", [])  # `--help` has none
    named = list(given)
    for path in config.getoption("--default-path"):
        if path in named:
            named.remove(path)
    if named and len(named) < len(given):
        config.args = named


@dataclass(frozen=True)
class Wish:
    """The stack that a test asks for.

    Attributes:
        marker: What its marker says; None where it has none.
        stack_request: Which stack, and how it differs from its configuration.
        isolation: One of `ISOLATIONS`, as the marker or the command line say; None where neither
            does.
        default: The same for tests without a marker, as their suite says; None where it does not.
    """

    marker: StackMarker | None
    stack_request: StackRequest
    isolation: str | None
    default: str | None

    @property
    def shared(self) -> tuple[str, ...] | None:
        """Services that it shares with other stacks; None for what the configuration says."""
        return self.marker.shared if self.marker else None

    @property
    def kind(self) -> Hashable:
        """Equal for two tests that could use the same stack."""
        stack_request = replace(self.stack_request, environment={})
        return repr(stack_request), self.shared

    def isolation_in(self, configured: str) -> str:
        """Whose the stack is.

        A marker alone asks for a new stack: a shared one is given only where the marker or the
        command line say so, and to tests without a marker.

        Args:
            configured: `isolation.default` of the stack's configuration.
        """
        if self.isolation is not None:
            return self.isolation
        usual = self.default or configured
        return "test" if self.marker is not None and usual == "shared" else usual

    def require_nothing_special(self) -> None:
        """Make sure that the stack is wanted as it is.

        Raises:
            NotAttached: If it is to have profiles, an environment or limits of its own.
        """
        from stackproof.errors import NotAttached

        if self.marker is not None and self.marker.wishes:
            raise NotAttached(
                f"the test asks for {', '.join(self.marker.wishes)} of its own",
                observed="the stack is attached: somebody else has started it as it is",
            )


def wish_of(item: pytest.Item) -> Wish:
    """What a test's marker `stack` and the session's options ask for.

    Raises:
        ConfigError: If the marker says something that it can't mean.
    """
    from stackproof.stack.resolved import StackRequest

    found, option = item.get_closest_marker("stack"), item.config.getoption
    marker = read_marker(found.args, found.kwargs) if found else None
    said = marker or StackMarker()
    stack_request = StackRequest(
        root=item.config.rootpath,
        environment=_environment(item.config),
        stack=said.name or option("--stack"),
        engine=option("--engine"),
        profiles=tuple(dict.fromkeys([*option("--stack-profile"), *said.profiles])),
        without=tuple(option("--stack-without")),
        service_environment=said.env,
        service_limits=said.limits,
        coverage=option("--stack-coverage"),
    )
    isolation = said.isolation or option("--isolation")
    if runs_wanted(item.config) and isolation != "shared":
        isolation = "test"  # what one run leaves in a stack must not reach the next
    return Wish(marker, stack_request, isolation, option("--default-isolation"))


def _environment(config: pytest.Config) -> dict[str, str]:
    """That of this process; the flake meter starts all anew, since forks share one hash seed.

    Whoever asks for forks by the variable measures them.
    """
    anew = {"STACKPROOF_PRELOAD": "off"}
    if config.getoption(COLD):
        return {**os.environ, **anew}
    return {**anew, **os.environ} if runs_wanted(config) else dict(os.environ)
