"""The stack that `invoke up`, or the nox session, has started, as the tests of a session use it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stackproof.pytest_plugin.concealing import learn, redactor_of

if TYPE_CHECKING:
    from stackproof.artifacts.run import RunArtifacts
    from stackproof.stack.resolved import Blueprint
    from stackproof.stack.running import Stack

_CONNECTION = pytest.StashKey["Connection"]()
_FOLDER = pytest.StashKey[Path]()
_MAKING = threading.Lock()


@dataclass
class Connection:
    """The stack that the tests of this session are connected to.

    Attributes:
        blueprint: What the stack was started from.
        stack: The running stack.
    """

    blueprint: Blueprint
    stack: Stack


def connection_of(config: pytest.Config) -> Connection | None:
    """The session's connection, if a test has asked for it."""
    return config.stash.get(_CONNECTION, None)


def connected(config: pytest.Config) -> Connection:
    """The session's connection to the stack that is up; the test fails if there is none."""
    from stackproof import lifecycle
    from stackproof.errors import StackproofError
    from stackproof.stack.resolved import Choice

    known = connection_of(config)
    if known is not None:
        return known
    choice = Choice(
        root=config.rootpath,
        environment=dict(os.environ),
        stack=config.getoption("--stack"),
        engine=config.getoption("--engine"),
        project=config.getoption("--stack-project"),
    )
    try:
        blueprint = lifecycle.resolve(choice)
        stack = lifecycle.connect(blueprint)
    except StackproofError as error:
        raise pytest.fail.Exception(f"{error}", pytrace=False) from None
    stack = with_artifacts(stack, config, blueprint)
    config.stash[_CONNECTION] = made = Connection(blueprint, stack)
    return made


@contextmanager
def skipping_what_is_not_attached() -> Iterator[None]:
    """Skip the test, with the reason, if it needs what an attached stack does not give."""
    from stackproof.errors import NotAttached

    try:
        yield
    except NotAttached as error:
        pytest.skip(" ".join(str(error).split("\n")))


def artifacts_of(config: pytest.Config, blueprint: Blueprint) -> RunArtifacts:
    """The folder that this session's tests write to, masking a stack's secrets."""
    from stackproof.artifacts.run import RunArtifacts, new_run

    with _MAKING:  # stacks are started in several threads
        learn(config, blueprint.plan.secrets)
        redactor = redactor_of(config)
        folder = config.getoption("--stack-artifacts") or config.stash.get(_FOLDER, None)
        if folder is None:
            folder = new_run(blueprint.settings.artifacts, "pytest", redactor).folder
        config.stash[_FOLDER] = folder
    return RunArtifacts(folder, redactor)


def with_artifacts(stack: Stack, config: pytest.Config, blueprint: Blueprint) -> Stack:
    """The stack with a folder of its own among the session's artifacts."""
    folder = artifacts_of(config, blueprint).folder
    return replace(stack, kept=folder / "stacks" / stack.plan.project)


def artifacts_known(config: pytest.Config) -> RunArtifacts | None:
    """The folder that this session's tests have written to, if any has."""
    from stackproof.artifacts.run import RunArtifacts

    folder = config.getoption("--stack-artifacts") or config.stash.get(_FOLDER, None)
    return RunArtifacts(folder, redactor_of(config)) if folder else None
