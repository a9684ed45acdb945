"""Whoever is killed, nothing is left: with real processes that do their best to stay."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from stackproof.reaper.leftovers import clean, find_runs
from stackproof.reaper.sweep import ProcessId, marked
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

BOTH = pytest.mark.parametrize("namespaces", ["private", "shared"])
STUBBORN = ("plain", "daemon", "hopper", "frozen")


@BOTH
def test_when_the_owner_is_killed_everything_goes(own, namespaces):
    run = own(*STUBBORN, namespaces=namespaces)
    assert len(run.processes()) >= 4
    run.kill_owner()
    run.wait_until_nothing_is_left()


@BOTH
def test_when_the_reaper_is_killed_the_supervisor_ends_everything(own, namespaces):
    run = own("plain", "daemon", "frozen", namespaces=namespaces)
    os.kill(run.reaper, signal.SIGKILL)
    wait_until(lambda: not run.run.path.exists(), timeout=20, what="the folder is gone")
    wait_until(
        lambda: not marked(f"STACKPROOF_RUN={run.run_id}"), timeout=20, what="no process is left"
    )


@BOTH
def test_when_owner_and_reaper_are_killed_together_everything_goes(own, namespaces):
    run = own("plain", "daemon", namespaces=namespaces)
    os.kill(run.reaper, signal.SIGKILL)
    run.kill_owner()
    wait_until(
        lambda: not marked(f"STACKPROOF_RUN={run.run_id}") and not run.run.path.exists(),
        timeout=20,
        what="everything is gone",
    )


def test_when_the_supervisor_is_killed_the_reaper_removes_everything(own):
    run = own("plain", "daemon")
    run.state.supervisor.kill()
    run.wait_until_nothing_is_left()


@BOTH
def test_what_nobody_is_left_to_remove_is_removed_by_the_next_command(own, root, namespaces):
    run = own("plain", "daemon", namespaces=namespaces)
    run.state.supervisor.kill(signal.SIGSTOP)
    os.kill(run.reaper, signal.SIGKILL)
    run.kill_owner()
    run.state.supervisor.kill(signal.SIGKILL)
    wait_until(lambda: not run.state.is_alive, timeout=20, what="all three are dead")
    (line,) = clean(root)
    assert "removed what a run of kill-e2e had left" in line
    wait_until(run.nothing_is_left, timeout=20, what="everything is gone")


def test_a_frozen_supervisor_is_ended_as_well(own):
    run = own("plain")
    run.state.supervisor.kill(signal.SIGSTOP)
    run.kill_owner()
    run.wait_until_nothing_is_left()


def test_a_closed_terminal_does_not_matter(own):
    run = own("plain", lease="released")
    os.kill(run.reaper, signal.SIGHUP)
    run.kill_owner()
    assert run.state.reaper.is_alive()
    assert len(run.processes()) >= 2


def test_a_released_run_outlives_its_owner_until_it_is_taken_down(own):
    run = own("plain", lease="released")
    run.kill_owner()
    assert run.state.is_alive
    take_down(run.run, seconds=5)
    run.wait_until_nothing_is_left()


def test_a_run_that_lives_is_not_cleaned(own, root):
    run = own("plain", lease="released")
    assert clean(root) == []
    assert len(run.processes()) >= 2


def test_an_owner_that_is_killed_at_any_moment_leaves_nothing(root):
    """Twenty moments between the start of the owner and a run that is up; more by environment."""
    from pathlib import Path

    seed = int(os.environ.get("STACKPROOF_KILL_SEED", "1"))
    moments = random.Random(seed)
    owner = Path(__file__).with_name("owner.py")
    for number in range(int(os.environ.get("STACKPROOF_KILLS", "20"))):
        argv = [sys.executable, str(owner), str(root), "k", "private", "held", "plain", "daemon"]
        mark = f"STACKPROOF_TEST=kill-{os.getpid()}-{number}"
        name, _, value = mark.partition("=")
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, env={**os.environ, name: value})
        time.sleep(moments.uniform(0.0, 0.4))  # the moment is what this test varies
        process.kill()
        process.wait()
        wait_until(
            lambda: not find_runs(root) and not root.exists(), timeout=20, what=f"kill {number}"
        )


def test_a_process_number_that_was_given_anew_is_not_killed():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        real = ProcessId.of(process.pid)
        recycled = ProcessId(process.pid, real.start_time - 1)
        assert recycled.kill() is False
        assert process.poll() is None
        assert recycled.is_alive() is False
        assert real.is_alive()
    finally:
        process.communicate(b"\n")


def frozen(process):
    process.kill(signal.SIGSTOP)
    wait_until(process.is_stopped, timeout=20, what="it is stopped")
    return process


def test_a_frozen_reaper_of_a_run_that_goes_on_is_let_go_on_by_the_next_command(own, root):
    run = own("plain", lease="released")
    reaper = frozen(run.state.reaper)
    (line,) = clean(root)
    assert line == f"the reaper of kill-e2e (process {reaper.pid}) was stopped; it goes on"
    assert reaper.is_alive()
    assert len(run.processes()) >= 2


@BOTH
def test_a_frozen_reaper_whose_owner_is_dead_is_made_to_do_its_work(own, root, namespaces):
    run = own("plain", "daemon", namespaces=namespaces)
    frozen(run.state.reaper)
    run.kill_owner()
    (line,) = clean(root)
    assert line.endswith("was stopped; it has ended its run")
    assert run.nothing_is_left()


def test_a_frozen_reaper_that_ends_its_run_at_once_is_said_to_have_done_so(own, root, monkeypatch):
    run = own("plain")
    frozen(run.state.reaper)
    run.kill_owner()
    kill = ProcessId.kill

    def kill_and_wait(process, number=signal.SIGKILL):
        was_there = kill(process, number)
        if number == signal.SIGCONT:
            wait_until(process.has_ended, timeout=20, what="the reaper has ended")
        return was_there

    monkeypatch.setattr(ProcessId, "kill", kill_and_wait)
    (line,) = clean(root)
    assert line.endswith("was stopped; it has ended its run")
    assert run.nothing_is_left()


def test_a_frozen_reaper_whose_run_has_no_folder_any_more_does_not_stay(own, root):
    run = own("plain")
    reaper = frozen(run.state.reaper)
    run.state.supervisor.kill()
    shutil.rmtree(run.run.path)
    run.kill_owner()
    assert "was stopped" in clean(root)[0]
    wait_until(reaper.has_ended, timeout=20, what="the reaper has ended")


@BOTH
def test_a_frozen_supervisor_without_a_reaper_is_ended_by_the_next_command(own, root, namespaces):
    run = own("plain", "daemon", namespaces=namespaces)
    frozen(run.state.supervisor)
    run.state.reaper.kill()
    run.kill_owner()
    wait_until(run.state.reaper.has_ended, timeout=20, what="the reaper is dead")
    (line,) = clean(root)
    assert "removed what a run of kill-e2e had left" in line
    assert run.nothing_is_left()


def test_a_reaper_of_another_state_root_is_left_frozen(own, root, tmp_path):
    reaper = frozen(own("plain").state.reaper)
    assert clean(tmp_path / "other") == []
    assert reaper.is_stopped()
