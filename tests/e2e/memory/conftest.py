"""What the scenarios of the memory stack share: each has a stack of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.memory.agents import HttpAgent, Project, StdioAgent
from tests.e2e.memory.provider import Provider


@pytest.fixture
def http(stack: Any) -> Iterator[HttpAgent]:
    """A client over HTTP."""
    agent = HttpAgent(stack.url("server"))
    yield agent
    agent.close()


@pytest.fixture
def stdio(stack: Any) -> StdioAgent:
    """An agent whose server is its child."""
    return StdioAgent(stack.url("runner"))


@pytest.fixture
def project(stack: Any, http: HttpAgent) -> Project:
    """The project, with a user over HTTP."""
    return Project(stack, http)


@pytest.fixture
def provider(stack: Any) -> Provider:
    """The model providers."""
    return Provider(stack.gateway)
