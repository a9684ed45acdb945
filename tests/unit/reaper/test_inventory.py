"""What is told of runs that should have ended."""

import subprocess
import sys
from pathlib import Path

import pytest

from stackproof.engines.inventory import held_ports, left_behind, runs_of_owner, wait_until_gone
from stackproof.reaper.launch import launch
from stackproof.reaper.lease import Launched, launched
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import ProcessId
from stackproof.reaper.takedown import take_down
from stackproof.waiting import Clock, wait_until

UNTIL_ASKED = """\
import pathlib, signal, sys
signal.signal(15, lambda *_: sys.exit())
pathlib.Path(sys.argv[1], "waits").touch()
signal.pause()
"""


def start(root, project):
    run = RunFolder(root, project)
    lease = launch(run, [sys.executable, "-c", UNTIL_ASKED, str(run.path)], environment={})
    wait_until((run.path / "waits").exists, timeout=20, what="it can be asked to end")
    return lease


@pytest.fixture
def run(tmp_path):
    """A run of this process, with a service that does nothing."""
    lease = start(tmp_path / "state", "shop-1")
    yield lease
    take_down(lease.run, seconds=5)


def known(lease):
    return [one for one in launched() if one.run_id == lease.run_id]


def test_a_running_stack_is_told_with_its_processes_ports_and_folder(run):
    ports = sorted(run.claim_ports(2))
    told = left_behind(known(run), {})
    holds = f", which holds the ports {ports[0]}, {ports[1]}"
    assert f"process {run.reaper.pid} of shop-1: its reaper{holds}" in told
    assert f"folder {run.run.path}" in told
    assert [line for line in told if f" of shop-1: {sys.executable} -c" in line]


def test_nothing_is_told_of_a_run_that_has_ended(run):
    take_down(run.run, seconds=5)
    assert left_behind(known(run), {}) == []


def test_a_process_that_has_fled_is_told_when_all_else_is_gone(run):
    take_down(run.run, seconds=5)
    mark = {"STACKPROOF_RUN": run.run_id}
    fled = subprocess.Popen(["sleep", "600"], env=mark, start_new_session=True)
    try:
        assert left_behind(known(run), {}) == [f"process {fled.pid} of shop-1: sleep 600"]
    finally:
        fled.kill()
        fled.wait()


def test_data_that_were_kept_are_told(run):
    run.run.kept.mkdir(parents=True)
    take_down(run.run, seconds=5)
    assert left_behind(known(run), {}) == [f"folder {run.run.kept}"]
    run.run.kept.rmdir()


def test_a_run_that_was_released_is_meant_to_stay(run):
    run.release()
    assert known(run) == []


def test_other_runs_make_no_difference(run, tmp_path):
    other = start(tmp_path / "state", "shop-2")
    try:
        take_down(run.run, seconds=5)
        assert left_behind(known(run), {}) == []
    finally:
        take_down(other.run, seconds=5)


def test_the_wait_ends_as_soon_as_nothing_is_left(run):
    clock = Clock(sleep=lambda _: take_down(run.run, seconds=5))
    assert wait_until_gone(known(run), {}, seconds=60, clock=clock) == []


def test_what_is_left_when_the_time_is_up_is_named(run):
    assert f"folder {run.run.path}" in wait_until_gone(known(run), {}, seconds=0)


def test_the_runs_of_a_process_are_found_by_their_owner(own):
    owned = own("plain")
    root = owned.run.root
    assert [one.run_id for one in runs_of_owner(root, owned.owner.pid)] == [owned.run_id]
    assert runs_of_owner(root, 1) == []


def test_a_process_that_is_gone_holds_no_ports(run):
    run.claim_ports(1)
    pid = run.reaper.pid
    take_down(run.run, seconds=5)
    wait_until(lambda: ProcessId.of(pid) is None, timeout=10, what="the reaper is gone")
    assert held_ports(pid) == []


def test_of_a_run_without_traces_nothing_is_told():
    assert left_behind([], {}) == []
    gone = Launched(RunFolder(Path("/nowhere"), "none"), "0", None, in_docker=False)
    assert left_behind([gone], {}) == []
