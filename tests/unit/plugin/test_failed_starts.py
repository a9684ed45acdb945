"""A stack that has failed to start is not started again for each test that wants the same one."""

import pytest

from stackproof.errors import NotAttached, ServiceExited, StackproofError
from stackproof.pytest_plugin.failed_starts import FailedStarts

pytest_plugins = ["pytester"]


def fail(starts, kind="shop", test="test_a", error=None):
    with starts.trying(kind, test):
        raise error or ServiceExited("api", code=3, verdict="exited with status 3", remedy="mend")


@pytest.fixture
def starts():
    made = FailedStarts()
    with pytest.raises(ServiceExited):
        fail(made)
    return made


def test_another_test_gets_the_first_verdict_at_once(starts):
    with pytest.raises(StackproofError) as told, starts.trying("shop", "test_b"):
        pytest.fail("it is not tried")
    assert str(told.value) == (
        "api exited with status 3\n  api has written no output\n"
        "  it failed for test_a; it is not tried again\n→ mend"
    )


def test_another_stack_is_tried(starts):
    with starts.trying("other", "test_b"):
        pass


def test_the_same_test_tries_again_and_its_success_is_remembered(starts):
    with starts.trying("shop", "test_a"):
        pass
    with starts.trying("shop", "test_b"):
        pass


def test_what_an_attached_stack_can_not_do_is_no_failed_start():
    starts = FailedStarts()
    with pytest.raises(NotAttached):
        fail(starts, error=NotAttached("no"))
    assert "shop" not in starts
