import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stackproof.reaper.leftovers import find_runs, read_run
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import ProcessId, marked
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

OWNER = Path(__file__).with_name("owner.py")


class Owned:
    """A run with its owner, which tests kill."""

    def __init__(self, root, namespaces, lease, services):
        self.run = RunFolder(root, "kill-e2e")
        self.intended = root.parent / "cache" / "snapshots" / ".new-kill-e2e"
        argv = [sys.executable, str(OWNER), str(root), "kill-e2e", namespaces, lease, *services]
        self.owner = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        words = self.owner.stdout.readline().split(maxsplit=2)
        self.run_id, self.reaper, self.namespace = words[0], int(words[1]), words[2].strip()
        self.state = read_run(self.run.path)

    def kill_owner(self):
        self.owner.kill()
        self.owner.wait()

    def processes(self):
        found = marked(f"STACKPROOF_RUN={self.run_id}")
        reaper = ProcessId.of(self.reaper)
        return found + ([reaper] if reaper else [])

    def nothing_is_left(self):
        return not self.processes() and not self.run.path.exists() and not self.intended.exists()

    def wait_until_nothing_is_left(self):
        wait_until(self.nothing_is_left, timeout=20, what="everything is gone")

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.owner.pid, signal.SIGCONT)
        self.kill_owner()
        self.owner.stdout.close()
        take_down(self.run, seconds=5)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def own(root):
    opened = []

    def start(*services, namespaces="private", lease="held"):
        opened.append(Owned(root, namespaces, lease, services or ("plain",)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
    assert find_runs(root) == []
