"""What the configuration and a test's marker say together: which stack, and whose it is."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import pytest

from stackproof.pytest_plugin.options import Wish, wish_of

if TYPE_CHECKING:
    from stackproof.settings import Settings
    from stackproof.stack.resolved import StackRequest


class Configured:
    """The settings of the stacks that tests ask for, each read once."""

    def __init__(self) -> None:
        self._settings: dict[Hashable, Settings] = {}

    def settings(self, stack_request: StackRequest) -> Settings:
        """The settings of a stack.

        Raises:
            ConfigError: If they are wrong.
        """
        from stackproof.settings import load_settings

        key = stack_request.stack
        if key not in self._settings:
            self._settings[key] = load_settings(
                stack_request.root, stack=stack_request.stack, environment=stack_request.environment
            )
        return self._settings[key]

    def isolation(self, wish: Wish) -> str:
        """Whose the stack is; one that somebody else has started is everybody's.

        Raises:
            NotAttached: If the test asks for something that such a stack can't be given.
        """
        settings = self.settings(wish.stack_request)
        if (wish.stack_request.engine or settings.engine) == "attached":
            wish.require_nothing_special()
            return "shared"
        return wish.isolation_in(settings.isolation.default)

    def wish(self, item: pytest.Item) -> Wish | None:
        """What a test will ask for; None for nothing, or nothing that can be started."""
        from stackproof.errors import StackproofError

        if "stack" not in getattr(item, "fixturenames", ()):
            return None
        try:
            wish = wish_of(item)
            return None if self.isolation(wish) == "shared" else wish
        except StackproofError:
            return None


def scope_of(item: pytest.Item, isolation: str) -> Any:
    """The node whose end ends the stack of a test."""
    if isolation == "test":
        return item
    return item.getparent(pytest.Module) if isolation == "module" else item.session
