"""The stack that `invoke up`, or the nox session, has started, as the tests of a session use it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stackproof.pytest_plugin.concealing import learn, redactor_of

if TYPE_CHECKING:
    from stackproof.artifacts.run import RunArtifacts
    from stackproof.stack.resolved import ResolvedStack
    from stackproof.stack.running import Stack

_CONNECTIONS = pytest.StashKey["dict[str | None, Connection]"]()
_RUN = pytest.StashKey[str]()
_FOLDER = pytest.StashKey[Path]()
_MAKING = threading.Lock()

RUN = "stackproof_run"
"""Under this name a worker of pytest-xdist is told of the session's folder."""


def prepare(config: pytest.Config) -> None:
    """Begin a session that has no connection yet; workers of pytest-xdist belong to it."""
    from stackproof.artifacts.run import run_name

    config.stash[_CONNECTIONS] = {}
    given = getattr(config, "workerinput", {})
    config.stash[_RUN] = given.get(RUN) or run_name(datetime.now(UTC))


def run_of(config: pytest.Config) -> str:
    """The name of the session's folder among the artifacts, the same in all its processes."""
    return config.stash[_RUN]


@dataclass
class Connection:
    """The stack that the tests of this session are connected to.

    Attributes:
        resolved: What the stack was started from.
        stack: The running stack.
    """

    resolved: ResolvedStack
    stack: Stack


def connection_of(config: pytest.Config) -> Connection | None:
    """The connection to the session's stack, if a test has asked for it."""
    return config.stash[_CONNECTIONS].get(config.getoption("--stack"))


def connections(config: pytest.Config) -> list[Connection]:
    """All connections of the session."""
    return list(config.stash[_CONNECTIONS].values())


def connected(config: pytest.Config, stack: str | None = None) -> Connection:
    """A connection to a stack that is up; the test fails if there is none.

    Args:
        config: The session's configuration.
        stack: Name of the stack; None for the session's.
    """
    from stackproof.errors import StackproofError

    name = stack or config.getoption("--stack")
    known = config.stash[_CONNECTIONS]
    if name not in known:
        try:
            known[name] = _connect(config, name)
        except StackproofError as error:
            raise pytest.fail.Exception(f"{error}", pytrace=False) from None
    return known[name]


def _connect(config: pytest.Config, name: str | None) -> Connection:
    from stackproof import lifecycle
    from stackproof.stack.resolved import StackRequest

    session = config.getoption("--stack")
    stack_request = StackRequest(
        root=config.rootpath,
        environment=dict(os.environ),
        stack=name,
        engine=config.getoption("--engine"),
        project=config.getoption("--stack-project") if session in {None, name} else None,
    )
    resolved = lifecycle.resolve(stack_request)
    running = replace(lifecycle.connect(resolved), outlives_run=True)
    stack = with_artifacts(running, config, resolved)
    _require_profiles(resolved, config.getoption("--stack-profile"))
    return Connection(resolved, stack)


def _require_profiles(resolved: ResolvedStack, wanted: list[str]) -> None:
    """Make sure that a running stack has the profiles that the session asks for.

    Raises:
        ConfigError: If one of them is off.
    """
    from stackproof.errors import ConfigError

    profiles = resolved.settings.profiles
    missing = [name for name in wanted if name not in profiles]
    if missing and "*" not in profiles and resolved.plan.engine != "attached":
        raise ConfigError(
            f"the running stack {resolved.plan.project} is without the profile {missing[0]}",
            source="--stack-profile",
            observed=f"its profiles: {', '.join(profiles) or 'none'}",
            remedy=f"run `invoke up --stack {resolved.plan.stack} --profile {missing[0]}`",
        )


@contextmanager
def skipping_what_is_not_attached() -> Iterator[None]:
    """Skip the test, with the reason, if it needs what an attached stack does not give."""
    from stackproof.errors import NotAttached

    try:
        yield
    except NotAttached as error:
        pytest.skip(" ".join(str(error).split("\n")))


def artifacts_of(config: pytest.Config, resolved: ResolvedStack) -> RunArtifacts:
    """The folder that this session's tests write to, masking a stack's secrets."""
    from stackproof.artifacts.run import RunArtifacts, new_run

    with _MAKING:  # stacks are started in several threads
        learn(config, resolved.plan.secrets)
        redactor = redactor_of(config)
        folder = config.getoption("--stack-artifacts") or config.stash.get(_FOLDER, None)
        if folder is None:
            folder = new_run(
                resolved.settings.artifacts, "pytest", redactor, name=run_of(config)
            ).folder
        config.stash[_FOLDER] = folder
    return RunArtifacts(folder, redactor)


def artifacts_of_start(config: pytest.Config, resolved: ResolvedStack) -> RunArtifacts:
    """The folder of a stack among them, where its start leaves its logs if it fails."""
    from stackproof.artifacts.run import RunArtifacts

    session = artifacts_of(config, resolved)
    return RunArtifacts(session.folder / "stacks" / resolved.plan.project, session.redactor)


def with_artifacts(stack: Stack, config: pytest.Config, resolved: ResolvedStack) -> Stack:
    """The stack with a folder of its own among the session's artifacts."""
    folder = artifacts_of(config, resolved).folder
    return replace(stack, kept=folder / "stacks" / stack.plan.project)


def artifacts_known(config: pytest.Config) -> RunArtifacts | None:
    """The folder that this session's tests have written to, if any has."""
    from stackproof.artifacts.run import RunArtifacts

    folder = config.getoption("--stack-artifacts") or config.stash.get(_FOLDER, None)
    return RunArtifacts(folder, redactor_of(config)) if folder else None
