"""What the scenarios of the automation stack share: each has a stack of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest
from tests.e2e.automation.operator_view import Operator
from tests.e2e.automation.user import PATIENCE, User
from tests.e2e.automation.watcher import Watcher, watching

from stackproof.oracle import Oracle


@pytest.fixture
def operator(stack: Any, oracle: Oracle) -> Iterator[Operator]:
    """Somebody with access to the database; at the end the oracle judges the whole audit trail."""
    made = Operator(stack, oracle)
    yield made
    if stack.service("postgres").state().is_well:
        made.history()


@pytest.fixture
def user(stack: Any, oracle: Oracle, operator: Operator) -> Iterator[User]:
    """The user of the seed."""
    with closing(httpx.Client(base_url=stack.url("api"), timeout=PATIENCE)) as http:
        yield User(stack, oracle, http).log_in()


@pytest.fixture
def other_user(stack: Any, oracle: Oracle, user: User) -> Iterator[User]:
    """A second user."""
    with closing(httpx.Client(base_url=stack.url("api"), timeout=PATIENCE)) as http:
        yield User(stack, oracle, http, login=f"other-{uuid.uuid4().hex}@example.org").register()


@pytest.fixture
def watch(stack: Any, user: User) -> Iterator[Callable[[], Watcher]]:
    """Connects watchers to the notifier."""
    with ExitStack() as connections:
        yield lambda: connections.enter_context(watching(stack.url("notifier"), user.token))
