import pytest

from stackproof.errors import ConfigError
from stackproof.oracle import StateMachine

WAYS = {"queued": ["running"], "running": ["done", "retry"], "retry": ["running"]}


def make(**changes):
    said = {"name": "run", "initial": ["queued"], "transitions": WAYS, "terminal": ["done"]}
    return StateMachine(**{**said, **changes})


def test_states_are_all_that_are_named_anywhere():
    assert make().states == {"queued", "running", "retry", "done"}


def test_a_state_can_become_itself_and_whatever_ways_lead_to():
    machine = make()
    assert machine.can_become("queued", "queued")
    assert machine.can_become("queued", "done")
    assert machine.can_become("retry", "retry")
    assert not machine.can_become("running", "queued")
    assert not machine.can_become("done", "running")


def test_a_terminal_state_with_a_way_out_is_refused():
    with pytest.raises(ConfigError, match="the terminal state running of a run leads to done"):
        make(terminal=["done", "running"], transitions={"queued": ["running"], "running": ["done"]})


def test_a_state_without_a_way_out_that_is_not_terminal_is_refused():
    with pytest.raises(ConfigError, match="the state stopped of a run has no next state"):
        make(transitions={**WAYS, "queued": ["running", "stopped"]})


def test_a_state_that_no_way_leads_to_is_refused():
    with pytest.raises(ConfigError, match="run: unreachable state lost"):
        make(transitions={**WAYS, "lost": ["done"]})


def test_a_machine_without_beginning_is_refused():
    with pytest.raises(ConfigError, match="no initial state"):
        make(initial=[])
