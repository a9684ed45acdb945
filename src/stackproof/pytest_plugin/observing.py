"""The oracle of a test: settled at the end of its call, while its stack is still up, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stackproof.oracle import Oracle

_ORACLE = pytest.StashKey["Oracle"]()


@pytest.fixture
def oracle(request: pytest.FixtureRequest) -> Oracle:
    """Watches the states of things, and fails the test if any of them goes a forbidden way.

    `watch = oracle.watch(machine, "the id", look=ask_once_more)`; then
    `watch.polled("api").saw("running", done=3)`, and so on for each source. When the test is over,
    terminal states are watched for their linger period, and everything is checked.
    """
    from stackproof.oracle import Oracle

    made: Oracle = request.node.stash.setdefault(_ORACLE, Oracle())
    return made


def settle(item: pytest.Item) -> None:
    """Watch what has ended, and fail the test if anything that was seen is illegal."""
    from stackproof.errors import StackproofError

    used = item.stash.get(_ORACLE, None)
    if used is None:
        return
    try:
        used.settle()
    except StackproofError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def history_of(item: pytest.Item) -> list[str]:
    """What the test's oracle has seen, as lines; none where it has no oracle."""
    used = item.stash.get(_ORACLE, None)
    return used.drawing() if used is not None else []
