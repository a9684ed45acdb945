"""What the end of a session says of the stacks of its tests."""

from types import SimpleNamespace

import pytest

from stackproof.pytest_plugin.isolated import STARTED, WAITED, WORLD
from stackproof.pytest_plugin.summary import summary_lines


def reporter(*properties):
    """A terminal after a session with tests of these properties."""
    reports = [
        pytest.TestReport(
            nodeid=f"test_{number}", location=("", 0, ""), keywords={}, outcome="passed",
            longrepr=None, when="call", user_properties=list(one.items()),
        )
        for number, one in enumerate(properties)
    ]  # fmt: skip
    return SimpleNamespace(stats={"passed": reports})


def test_why_stacks_have_no_private_world_is_said_once():
    stack = {WAITED: 1.0, STARTED: 2.0}
    told = "services run in the host world, with translated addresses: clone: EPERM"
    lines = summary_lines(reporter({**stack, WORLD: told}, {**stack, WORLD: told}, {}))
    assert lines[0].startswith("stacks: 2 isolated; ")
    assert lines[1:] == [f"note: {told}"]
    assert len(summary_lines(reporter(stack))) == 1
