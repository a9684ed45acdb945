"""Without namespaces: services that hide from their keepers, and what is then still certain."""

import os
import signal
from pathlib import Path

import pytest

from stackproof.reaper.leftovers import clean
from stackproof.reaper.sweep import PROC, ProcessId, marked
from stackproof.waiting import wait_until

VICTIMS = [
    ("owner",), ("reaper",), ("supervisor",), ("owner", "reaper"), ("owner", "supervisor"),
]  # fmt: skip


@pytest.fixture
def hiding(own, root):
    """A run with services that leave their parents, session, environment and name."""
    run = own("hidden", "crowd", "daemon", namespaces="shared")
    run.hidden = [ProcessId.of(int(path.name)) for path in (root.parent / "pids").iterdir()]
    yield run
    for process in run.hidden:
        process.kill()


def kill(run, victims):
    """SIGKILL to all of them before one can see the death of another."""
    found = {
        "owner": ProcessId.of(run.owner.pid),
        "reaper": run.state.reaper,
        "supervisor": run.state.supervisor,
    }
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for one in victims:
            found[one].kill(number)
    for one in victims:
        wait_until(found[one].has_ended, timeout=20, what=f"the {one} is dead")


def test_a_service_that_hides_carries_nothing_to_know_it_by(hiding):
    (process,) = hiding.hidden
    assert b"STACKPROOF" not in Path(PROC, str(process.pid), "environ").read_bytes()
    assert os.getsid(process.pid) != os.getsid(hiding.state.supervisor.pid)
    assert process not in marked(f"STACKPROOF_RUN={hiding.run_id}")


@pytest.mark.parametrize("victims", VICTIMS, ids=" and ".join)
def test_as_long_as_a_keeper_lives_those_that_hide_are_ended_as_well(hiding, victims):
    kill(hiding, victims)
    hiding.wait_until_nothing_is_left()
    assert not any(one.is_alive() for one in hiding.hidden)


def test_without_any_keeper_the_next_command_finds_what_carries_the_mark_and_no_more(hiding, root):
    """The bound of what can be promised there: whoever hides then is nobody's child any more."""
    kill(hiding, ("owner", "reaper", "supervisor"))
    clean(root)
    hiding.wait_until_nothing_is_left()
    assert all(one.is_alive() for one in hiding.hidden)
