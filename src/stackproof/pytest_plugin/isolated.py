"""The stacks that belong to tests: one each, or one for a module or session; started ahead."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from stackproof.isolation.pool import Pool, Taken, has_room, pool_size, usable_cpus
from stackproof.pytest_plugin.configured import Configured, scope_of
from stackproof.pytest_plugin.failed_starts import FailedStarts
from stackproof.pytest_plugin.options import Wish, wish_of
from stackproof.pytest_plugin.running import (
    artifacts_of,
    artifacts_of_start,
    connected,
    with_artifacts,
)
from stackproof.pytest_plugin.servers import ServersOfTests
from stackproof.pytest_plugin.telling import Screen

if TYPE_CHECKING:
    from stackproof.artifacts.run import RunArtifacts
    from stackproof.isolation.isolated import IsolatedStack
    from stackproof.stack.resolved import StackRequest
    from stackproof.stack.running import Stack

WAITED = "stack_waited_seconds"
STARTED = "stack_started_seconds"
WORLD = "stack_world"
"""Properties of a test: the last says why its services have not the world that was asked for."""

ABORT_SECONDS = 5.0
"""How long a stack that is being started gets to end in order when a person interrupts."""

CLOSE_SECONDS = 60.0
"""How long the end of a session waits for a stack to go."""


@dataclass
class Use:
    """What a test's stack has cost, in seconds.

    Attributes:
        test: Id of the test.
        project: Name of the stack.
        waited: How long the test waited for it.
        started: How long its start took.
        ahead: Whether it was started before the test asked.
        stopped: How long it took to end; None until then.
    """

    test: str
    project: str
    waited: float
    started: float
    ahead: bool
    stopped: float | None = None


class IsolatedStacks:
    """The isolated stacks of a session's tests.

    Args:
        config: The session's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.stacks: dict[str, tuple[Stack, RunArtifacts]] = {}
        self.uses: list[Use] = []
        self._shared: dict[Hashable, IsolatedStack] = {}
        self._configured = Configured()
        self._pool: Pool[IsolatedStack] | None = None
        self._servers = ServersOfTests(partial(artifacts_of_start, config))
        self._failed: set[str] = set()
        self._failed_starts = FailedStarts()
        self._news: dict[Hashable, str] = {}
        self.screen = Screen(config)

    def stack_for(self, request: pytest.FixtureRequest) -> Stack:
        """The stack that a test asks for; started now unless it shares one or one is ready."""
        from stackproof.errors import NotAttached, StackproofError

        item = request.node
        try:
            wish = wish_of(item)
            isolation = self._configured.isolation(wish)
            if isolation == "shared":
                connection = connected(self.config, wish.stack_request.stack)
                artifacts = artifacts_of(self.config, connection.resolved)
                self.stacks[item.nodeid] = (connection.stack, artifacts)
                return connection.stack
            isolated = self._isolated(request, wish, isolation)
        except NotAttached:
            raise
        except StackproofError as error:
            told = getattr(error, "__notes__", [])
            raise pytest.fail.Exception("\n\n".join([str(error), *told]), pytrace=False) from None
        self.stacks[item.nodeid] = (isolated.stack, artifacts_of(self.config, isolated.resolved))
        return isolated.stack

    def database_for(self, request: pytest.FixtureRequest) -> str:
        """The URL of a database of a test's own, which is dropped after the test."""
        from stackproof.errors import StackproofError

        told: list[str] = []
        try:
            wish = wish_of(request.node)
            settings = self._configured.settings(wish.stack_request)
            with (
                self._failed_starts.trying(("database", wish.kind), request.node.nodeid),
                self.screen.waiting(lambda: f"waiting for the database of {request.node.name}"),
            ):
                database = self._servers.database(wish.stack_request, settings, told.append)
        except StackproofError as error:
            told[:0] = ["", "what was said before:"] if told else []
            raise pytest.fail.Exception("\n".join([str(error), *told]), pytrace=False) from None
        request.addfinalizer(database.give_back)
        return database.url

    def _isolated(
        self, request: pytest.FixtureRequest, wish: Wish, isolation: str
    ) -> IsolatedStack:
        scope = scope_of(request.node, isolation)
        key = (scope.nodeid, wish.kind)
        found = self._shared.get(key)
        if found is not None:
            return found
        with (
            self._failed_starts.trying(wish.kind, request.node.nodeid),
            self.screen.waiting(lambda: self._waiting(request.node, wish.kind)),
        ):
            taken = self._pool_for(wish.stack_request).take(wish.kind, partial(self._start, wish))
        isolated = taken.value
        isolated.stack = with_artifacts(isolated.stack, self.config, isolated.resolved)
        if isolation != "test":
            self._shared[key] = isolated
        use = self._noted(request.node, taken)
        scope.addfinalizer(partial(self._end, key, isolated, use))
        return isolated

    def _waiting(self, item: pytest.Item, kind: Hashable) -> str:
        news = self._news.get(kind, "")
        return f"waiting for the stack of {item.name}" + (f": {news}" if news else "")

    def _start(self, wish: Wish) -> IsolatedStack:
        from stackproof.errors import StackproofError
        from stackproof.isolation.isolated import open_stack

        told: list[str] = []

        def hear(line: str) -> None:
            told.append(line)
            self._news[wish.kind] = " ".join(line.split())

        shared = wish.shared
        if shared is None:
            shared = self._configured.settings(wish.stack_request).isolation.shared
        share = partial(self._servers.share, wish.stack_request, shared, hear) if shared else None
        try:
            isolated = open_stack(
                wish.stack_request,
                hear,
                artifacts=partial(artifacts_of_start, self.config),
                share=share,
            )
        except StackproofError as error:
            error.add_note("\n".join(["what was said before:", *told]))
            raise
        return isolated

    def _noted(self, item: pytest.Item, taken: Taken[IsolatedStack]) -> Use:
        isolated = taken.value
        use = Use(
            item.nodeid,
            isolated.resolved.plan.project,
            taken.waited,
            isolated.started_in,
            taken.ahead,
        )
        self.uses.append(use)
        item.user_properties += [
            (WAITED, round(use.waited, 3)),
            (STARTED, round(use.started, 3)),
        ]
        if notice := isolated.resolved.world.notice:
            item.user_properties.append((WORLD, notice))
        return use

    def _end(self, key: Hashable, isolated: IsolatedStack, use: Use) -> None:
        self._shared.pop(key, None)
        if self.config.getoption("--stack-keep") and use.project in self._failed:
            isolated.leave_up()
            return
        pool = self._pool_for(isolated.resolved.request)
        end = partial(_timed_close, isolated, use, pool.clock.now)
        if pool.size:
            pool.end(end)
        else:
            end()

    def failed(self, item: pytest.Item) -> None:
        """Remember that a test has failed, in case its stack shall stay."""
        used = self.stacks.get(item.nodeid)
        if used is not None:
            self._failed.add(used[0].plan.project)

    def _pool_for(self, stack_request: StackRequest) -> Pool[IsolatedStack]:
        if self._pool is None:
            isolation = self._configured.settings(stack_request).isolation
            workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
            size = pool_size(isolation.pool, cpus=usable_cpus(), workers=workers)
            self._pool = Pool(size, _close, room=partial(has_room, isolation.memory))
        return self._pool

    def start_ahead(self, upcoming: Iterator[pytest.Item]) -> None:
        """Begin to start the stacks that the next tests will ask for.

        Args:
            upcoming: The tests after the one that is about to run, in their order.
        """
        if self._pool is None or self._pool.size == 0:
            return
        wanted: list[tuple[Hashable, Callable[[], IsolatedStack]]] = []
        scopes: set[Hashable] = set()
        for other in upcoming:
            wish = self._configured.wish(other)
            if wish is not None and self._is_new(other, wish, scopes):
                wanted.append((wish.kind, partial(self._start, wish)))
            if len(wanted) == self._pool.size:
                break
        self._pool.prepare(wanted)

    def _is_new(self, item: pytest.Item, wish: Wish, scopes: set[Hashable]) -> bool:
        """Whether a test will need a stack that no earlier one shares with it."""
        isolation = self._configured.isolation(wish)
        if wish.kind in self._failed_starts:
            return False
        if isolation == "test":
            return True
        key = (scope_of(item, isolation).nodeid, wish.kind)
        if key in self._shared or key in scopes:
            return False
        scopes.add(key)
        return True

    def close(self, *, interrupted: bool = False) -> list[str]:
        """End all that is left, and name what did not end well.

        Args:
            interrupted: Whether a person waits for the end; stacks that start are not awaited.
        """
        with self.screen.waiting(lambda: "taking down the stacks of the tests"):
            if interrupted:
                self._abort_starts()
            errors = self._pool.close(seconds=CLOSE_SECONDS) if self._pool else []
            errors += self._servers.close()
        self.screen.close()
        return [str(error) or "a stack did not end within a minute" for error in errors]

    def _abort_starts(self) -> None:
        from stackproof.errors import StackproofError
        from stackproof.reaper.lease import launched
        from stackproof.reaper.takedown import take_down

        ready = self._pool.ready() if self._pool else []
        started = {use.project for use in self.uses} | self._servers.projects
        started |= {isolated.resolved.run.project for isolated in ready}
        for starting in launched():
            if starting.run.project not in started:
                with suppress(StackproofError):  # what is left is told at the end
                    take_down(starting.run, seconds=ABORT_SECONDS)


def _nobody(line: str) -> None:
    """Nobody reads the progress of a stack that ends."""


def _close(isolated: IsolatedStack) -> None:
    isolated.close(_nobody)


def _timed_close(isolated: IsolatedStack, use: Use, now: Callable[[], float]) -> None:
    before = now()
    isolated.close(_nobody)
    use.stopped = now() - before
