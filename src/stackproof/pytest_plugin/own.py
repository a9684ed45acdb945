"""The stacks that belong to tests: one each, or one for a module or session; started ahead."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from stackproof.isolation.pool import Pool, Taken, has_room, pool_size, usable_cpus
from stackproof.pytest_plugin.options import Wish, wish_of
from stackproof.pytest_plugin.running import artifacts_of, connected, with_artifacts
from stackproof.pytest_plugin.servers import ServersOfTests

if TYPE_CHECKING:
    from stackproof.artifacts.run import RunArtifacts
    from stackproof.isolation.isolated import OwnStack
    from stackproof.settings import Settings
    from stackproof.stack.resolved import Choice
    from stackproof.stack.running import Stack

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


class OwnStacks:
    """The isolated stacks of a session's tests.

    Args:
        config: The session's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.stacks: dict[str, tuple[Stack, RunArtifacts]] = {}
        self.uses: list[Use] = []
        self._shared: dict[Hashable, OwnStack] = {}
        self._settings: dict[Hashable, Settings] = {}
        self._pool: Pool[OwnStack] | None = None
        self._servers = ServersOfTests()
        self._failed: set[str] = set()

    def stack_for(self, request: pytest.FixtureRequest) -> Stack:
        """The stack that a test asks for; started now unless it shares one or one is ready."""
        from stackproof.errors import NotAttached, StackproofError

        item = request.node
        try:
            wish = wish_of(item)
            isolation = self._isolation(wish)
            if isolation == "shared":
                return connected(self.config).stack
            own = self._own(request, wish, isolation)
        except NotAttached:
            raise
        except (StackproofError, pytest.UsageError) as error:
            told = getattr(error, "__notes__", [])
            raise pytest.fail.Exception("\n".join([*told, str(error)]), pytrace=False) from None
        self.stacks[item.nodeid] = (own.stack, artifacts_of(self.config, own.blueprint))
        return own.stack

    def database_for(self, request: pytest.FixtureRequest) -> str:
        """The URL of a database of a test's own, which is dropped after the test."""
        from stackproof.errors import StackproofError

        told: list[str] = []
        try:
            wish = wish_of(request.node)
            database = self._servers.database(
                wish.choice, self._configured(wish.choice), told.append
            )
        except (StackproofError, pytest.UsageError) as error:
            raise pytest.fail.Exception("\n".join([*told, str(error)]), pytrace=False) from None
        request.addfinalizer(database.give_back)
        return database.url

    def _isolation(self, wish: Wish) -> str:
        """Whose the stack is; one that somebody else has started is everybody's.

        Raises:
            NotAttached: If the test asks for something that such a stack can't be given.
        """
        engine = wish.choice.engine or self._configured(wish.choice).engine
        if engine == "attached":
            wish.require_nothing_special()
            return "shared"
        return wish.isolation or self._configured(wish.choice).isolation.default

    def _configured(self, choice: Choice) -> Settings:
        from stackproof.settings import load_settings

        key = choice.stack
        if key not in self._settings:
            self._settings[key] = load_settings(
                choice.root, stack=choice.stack, environment=choice.environment
            )
        return self._settings[key]

    def _own(self, request: pytest.FixtureRequest, wish: Wish, isolation: str) -> OwnStack:
        scope = _scope(request.node, isolation)
        key = (scope.nodeid, wish.kind)
        found = self._shared.get(key)
        if found is not None:
            return found
        taken = self._pool_for(wish.choice).take(wish.kind, partial(self._start, wish))
        own = taken.value
        own.stack = with_artifacts(own.stack, self.config, own.blueprint)
        if isolation != "test":
            self._shared[key] = own
        use = self._noted(request.node, taken)
        scope.addfinalizer(partial(self._end, key, own, use))
        return own

    def _start(self, wish: Wish) -> OwnStack:
        from stackproof.errors import StackproofError
        from stackproof.isolation.isolated import open_stack

        told: list[str] = []
        shared = wish.shared
        if shared is None:
            shared = self._configured(wish.choice).isolation.shared
        share = partial(self._servers.share, wish.choice, shared, told.append) if shared else None
        try:
            own = open_stack(
                wish.choice, told.append, artifacts=partial(artifacts_of, self.config), share=share
            )
        except StackproofError as error:
            error.add_note("\n".join(told))
            raise
        return own

    def _noted(self, item: pytest.Item, taken: Taken[OwnStack]) -> Use:
        own = taken.value
        use = Use(
            item.nodeid, own.blueprint.plan.project, taken.waited, own.started_in, taken.ahead
        )
        self.uses.append(use)
        item.user_properties += [
            ("stack_waited_seconds", round(use.waited, 3)),
            ("stack_started_seconds", round(use.started, 3)),
        ]
        return use

    def _end(self, key: Hashable, own: OwnStack, use: Use) -> None:
        self._shared.pop(key, None)
        if self.config.getoption("--stack-keep") and use.project in self._failed:
            own.leave_up()
            return
        pool = self._pool_for(own.blueprint.choice)
        end = partial(_timed_close, own, use, pool.clock.now)
        if pool.size:
            pool.end(end)
        else:
            end()

    def failed(self, item: pytest.Item) -> None:
        """Remember that a test has failed, in case its stack shall stay."""
        used = self.stacks.get(item.nodeid)
        if used is not None:
            self._failed.add(used[0].plan.project)

    def _pool_for(self, choice: Choice) -> Pool[OwnStack]:
        if self._pool is None:
            isolation = self._configured(choice).isolation
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
        wanted: list[tuple[Hashable, Callable[[], OwnStack]]] = []
        scopes: set[Hashable] = set()
        for other in upcoming:
            wish = self._wish(other)
            if wish is not None and self._is_new(other, wish, scopes):
                wanted.append((wish.kind, partial(self._start, wish)))
            if len(wanted) == self._pool.size:
                break
        self._pool.prepare(wanted)

    def _wish(self, item: pytest.Item) -> Wish | None:
        """What a test will ask for; None for nothing, or nothing that can be had."""
        from stackproof.errors import StackproofError

        if "stack" not in getattr(item, "fixturenames", ()):
            return None
        try:
            wish = wish_of(item)
            return None if self._isolation(wish) == "shared" else wish
        except (StackproofError, pytest.UsageError):
            return None

    def _is_new(self, item: pytest.Item, wish: Wish, scopes: set[Hashable]) -> bool:
        """Whether a test will need a stack that no earlier one shares with it."""
        isolation = self._isolation(wish)
        if isolation == "test":
            return True
        key = (_scope(item, isolation).nodeid, wish.kind)
        if key in self._shared or key in scopes:
            return False
        scopes.add(key)
        return True

    def close(self) -> list[str]:
        """End all that is left, write what the stacks have cost, and name what did not end well."""
        errors = self._pool.close(seconds=CLOSE_SECONDS) if self._pool else []
        errors += self._servers.close()
        return [str(error) or "a stack did not end within a minute" for error in errors]


def _nobody(line: str) -> None:
    """Nobody reads the progress of a stack that ends."""


def _close(own: OwnStack) -> None:
    own.close(_nobody)


def _timed_close(own: OwnStack, use: Use, now: Callable[[], float]) -> None:
    before = now()
    own.close(_nobody)
    use.stopped = now() - before


def _scope(item: pytest.Item, isolation: str) -> Any:
    """The node whose end ends the stack."""
    if isolation == "test":
        return item
    return item.getparent(pytest.Module) if isolation == "module" else item.session
