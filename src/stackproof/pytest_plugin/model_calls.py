"""The model calls that belong to a test: those of its namespace, and those without a namespace."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stackproof.engines.timestamps import Moment, timestamp

if TYPE_CHECKING:
    from stackproof.stack.running import Stack
    from stackproof_gateway.client import GatewayClient
    from stackproof_gateway.journal_entries import JournalEntry

_READ = pytest.StashKey[dict[str, float]]()
"""The gateway's monotonic time of the last call without a namespace that was read, by stack."""

_SINCE = pytest.StashKey[dict[str, float]]()
"""The same, as it was when a test read its calls for the first time."""


def forget(item: pytest.Item) -> None:
    """Begin a test, or a further try of it: it has made no calls."""
    item.stash[_SINCE] = {}


def calls_without_namespace(
    item: pytest.Item, stack: Stack, began: Moment | None = None
) -> list[JournalEntry]:
    """The calls without a namespace that belong to a test; none if the gateway does not answer.

    Args:
        item: The test.
        stack: Its stack.
        began: When the test began, if others may use the stack meanwhile: then the calls since
            that time count, as the lines of its logs do. None if the stack is isolated: then all
            calls count that no earlier test has had.
    """
    if stack.plan.gateway_service is None:
        return []
    with contextlib.suppress(Exception):  # the gateway may be what has failed
        if began is None:
            return _unread(item, stack)
        calls = stack.gateway.requests()
        return [call for call in calls if timestamp(call.time) >= began.earliest()]
    return []


def _unread(item: pytest.Item, stack: Stack) -> list[JournalEntry]:
    """The calls that no earlier test has had; a reset of the namespace numbers calls anew."""
    read, project = item.config.stash.setdefault(_READ, {}), stack.plan.project
    since = item.stash.setdefault(_SINCE, {}).setdefault(project, read.get(project, 0.0))
    calls = stack.gateway.requests(since=since)
    read[project] = max([read.get(project, 0.0), *(call.monotonic for call in calls)])
    return calls


@dataclass(frozen=True)
class CallsOfTest:
    """What a failing test keeps of its model calls.

    Attributes:
        item: The test.
        stack: Its stack.
        own: A client of its namespace, if it has one.
        began: As `calls_without_namespace` takes it.
    """

    item: pytest.Item
    stack: Stack
    own: GatewayClient | None
    began: Moment | None

    def requests(self) -> list[JournalEntry]:
        """The calls of its namespace and those without one, oldest first."""
        calls = calls_without_namespace(self.item, self.stack, self.began)
        with contextlib.suppress(Exception):
            calls += self.own.requests() if self.own is not None else []
        return sorted(calls, key=lambda call: call.monotonic)
