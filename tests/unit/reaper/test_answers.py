"""An owner waits for answers while its reaper lives, and says how a reaper has ended."""

import errno
import json
import os
import re
import socket
import subprocess
import sys
from contextlib import closing

import pytest

from stackproof.errors import StartFailed, StorageFailed
from stackproof.reaper import launch as launching
from stackproof.reaper import lease as leasing
from stackproof.reaper.launch import launch
from stackproof.reaper.lease import Lease
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import ProcessId
from stackproof.reaper.takedown import take_down
from stackproof.waiting import silence, wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def standin(tmp_path):
    """Starts a child that stands in for a reaper; gives its lease and what was said meanwhile."""
    opened = []

    def start(code, say=None):
        ours, theirs = socket.socketpair()
        output = os.memfd_create("reaper")
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stderr=output,
        )
        theirs.close()
        said = []
        run = RunFolder(tmp_path, "shop-e2e")
        process = ProcessId.of(child.pid)
        lease = Lease(run, "1", process, ours, output=output, say=say or said.append)
        opened.append((child, lease))
        return lease, said

    yield start
    for child, lease in opened:
        child.kill()
        child.wait()
        lease.close()


def test_a_slow_reaper_is_waited_for_with_lines_of_progress(standin, monkeypatch, tmp_path):
    monkeypatch.setattr(leasing, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(silence, "SILENCE", 0.05)
    said, told = [], tmp_path / "told"
    code = (
        f"import os, sys, time\nwhile not os.path.exists({str(told)!r}): time.sleep(0.01)\n"
        "os.write(int(sys.argv[1]), b'{\"done\": 1}\\n'); time.sleep(600)"
    )

    def say(line):
        said.append(line)
        told.touch()

    lease, _ = standin(code, say)
    assert lease.answer() == {"done": 1}
    assert re.match(r"still waiting for the reaper of shop-e2e \(process \d+\), which", said[0])


@pytest.mark.parametrize(
    ("code", "how", "seen"),
    [
        ("raise SystemExit(3)", "ended with status 3", "it wrote nothing"),
        ("import nowhere_to_be_found", "ended with status 1", "No module named 'nowhere_to_be"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL", "it wrote nothing"),
    ],
)
def test_a_reaper_that_has_ended_is_named_with_how_and_its_last_words(standin, code, how, seen):
    lease, _ = standin(code)
    with pytest.raises(StartFailed) as caught:
        lease.answer()
    assert caught.value.what.endswith(how)
    assert seen in caught.value.observed
    assert ("dmesg" in caught.value.remedy) == ("SIGKILL" in how)


def test_a_killed_reaper_is_noticed_although_its_supervisor_lives_on(tmp_path):
    run = RunFolder(tmp_path / "state", "shop-e2e")
    lease = launch(run, SLEEPER, environment={}, private=False)
    with closing(lease):
        lease.reaper.kill()
        with pytest.raises(StartFailed, match="was ended by SIGKILL"):
            lease.claim_ports(1)
    take_down(run, seconds=5)


def test_a_reaper_that_cant_begin_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(launching, "_BOOT", "raise SystemExit('no such thing')")
    run = RunFolder(tmp_path / "state", "shop-e2e")
    with pytest.raises(StartFailed, match="ended with status 1") as caught:
        launch(run, SLEEPER, environment={})
    assert caught.value.observed == "no such thing"
    assert not run.root.exists()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"errno": errno.ENOSPC}, StorageFailed, "no space left in {root}"),
        ({"errno": errno.EACCES, "path": "/a/b"}, StorageFailed, "permission denied: /a/b"),
        ({"errno": errno.EPERM, "path": ""}, StartFailed, "could not do what it was asked for"),
        ({"errno": None}, StartFailed, "could not do what it was asked for"),
    ],
)
def test_an_answer_about_a_disk_or_folder_becomes_the_sentence_about_it(
    tmp_path, answer, error, words
):
    ours, theirs = socket.socketpair()
    lease = Lease(RunFolder(tmp_path, "shop-e2e"), "1", ProcessId.current(), ours)
    with closing(lease), theirs:
        theirs.sendall(json.dumps({"error": "[Errno] it", **answer}).encode() + b"\n")
        with pytest.raises(error, match=re.escape(words.format(root=tmp_path))):
            lease.answer()


def test_each_request_that_is_refused_has_a_remedy_of_its_own(tmp_path):
    run = RunFolder(tmp_path / "state", "shop-e2e")
    with closing(launch(run, SLEEPER, environment={})) as lease:
        with pytest.raises(StartFailed) as ports:
            lease.claim_ports(100_000)
        with pytest.raises(StartFailed) as folder:
            lease.intend(tmp_path / "not a draft")
    take_down(run, seconds=5)
    assert "`invoke clean` lists" in ports.value.remedy
    assert "STACKPROOF_CACHE_DIR" in folder.value.remedy


def test_the_end_of_a_supervisor_is_told_with_its_last_words(tmp_path):
    run = RunFolder(tmp_path / "state", "shop-e2e")
    seen = tmp_path / "seen"
    code = (
        f"import os, sys, time\nwhile not os.path.exists({str(seen)!r}): time.sleep(0.01)\n"
        "sys.exit('no such thing')"
    )
    with closing(launch(run, [sys.executable, "-c", code], environment={})) as lease:
        assert lease.lost() is None
        seen.touch()
        wait_until(lambda: not run.path.exists(), timeout=20, what="the run is gone")
        lost = lease.lost()
    assert lost.what == "the supervisor of shop-e2e ended with status 1"
    assert lost.observed == "no such thing"


def test_a_start_that_fails_because_its_supervisor_was_killed_says_so(tmp_path):
    run = RunFolder(tmp_path / "state", "shop-e2e")
    with closing(launch(run, SLEEPER, environment={})) as lease:
        supervisor = read_run(run.path).supervisor
        supervisor.kill()
        wait_until(lambda: not run.path.exists(), timeout=20, what="the run is gone")
        with pytest.raises(StartFailed, match="supervisor of shop-e2e was ended by SIGKILL"):
            lease.claim_ports(1)
        assert lease.lost() is None
