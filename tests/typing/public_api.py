"""What type checkers see of the public API; checked by mypy, never run."""

from typing import Any, assert_type

import stackproof
from stackproof import Oracle, Stack, StackproofError, StateMachine, WaitTimeout, wait_until
from stackproof.oracle import Watch
from stackproof.stack import ServiceHandle


def a_stack(stack: Stack) -> None:
    """Addresses, rows and services have their types."""
    assert_type(stack.url("api"), str)
    assert_type(stack.dsn(), str)
    assert_type(stack.rows("select 1 as n"), list[dict[str, Any]])
    assert_type(stack.service("worker"), ServiceHandle)
    assert_type(stack.service("worker").logs(tail=5), str)
    assert_type(stack.service("worker").exec(["true"]).exit_code, int)


def a_wait(stack: Stack) -> None:
    """A wait gives what its condition gives."""
    assert_type(wait_until(lambda: 7, timeout=1, what="seven"), int)
    assert_type(stack.wait_until(lambda: "done", timeout=1, what="done"), str)
    assert_type(
        stack.wait_until(
            lambda: 7, timeout=1, what="seven", until=lambda got: got > 1, retry_on=(OSError,)
        ),
        int,
    )
    stack.wait_until(lambda: 7, what="it")  # type: ignore[call-arg]
    stack.wait_until(lambda: 7, timeout=1, what="it", untill=bool)  # type: ignore[call-arg]


def a_state(oracle: Oracle) -> None:
    """Watches belong to a state machine."""
    machine = StateMachine(name="run", initial=["new"], transitions={}, terminal=["new"])
    assert_type(oracle.watch(machine, "7"), Watch)


def errors(error: WaitTimeout) -> StackproofError:
    """Every error has the same root."""
    assert_type(stackproof.__version__, str)
    return error
