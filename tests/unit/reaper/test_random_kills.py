"""Owner, reaper and supervisor are killed at random moments, alone and together: nothing is left.

`STACKPROOF_KILLS` says how often, `STACKPROOF_KILL_SEED` with which victims and moments.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.unit.reaper.whole_owner import PROJECT

from stackproof.engines.inventory import held_ports, left_behind
from stackproof.engines.unfinished import sweep_cache
from stackproof.reaper.launch import Launched
from stackproof.reaper.leftovers import clean, read_run
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import PROC, ProcessId, all_pids, marked
from stackproof.reaper.waking import MARK
from stackproof.waiting import WaitTimeout, wait_until

OWNER = Path(__file__).with_name("whole_owner.py")
KILLS = int(os.environ.get("STACKPROOF_KILLS", "20"))
SEED = int(os.environ.get("STACKPROOF_KILL_SEED", str(random.randrange(1 << 16))))

VICTIMS = (
    ("owner",), ("reaper",), ("supervisor",), ("owner", "reaper"), ("owner", "supervisor"),
    ("reaper", "supervisor"), ("owner", "reaper", "supervisor"),
)  # fmt: skip


class Round:
    """One life of a run, one kill, and the search for what is left."""

    def __init__(self, folder, namespaces, number):
        self.root, self.cache = folder / "state", folder / "cache"
        self.run = RunFolder(self.root, PROJECT)
        self.entry = self.cache / "snapshots" / f"k-{number}"
        argv = [sys.executable, str(OWNER), str(self.root), str(self.cache), namespaces]
        self.owner = subprocess.Popen(
            [*argv, self.entry.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.reaper = self.supervisor = None
        self.survivors = []
        self.run_id = ""

    def wait_for(self, victims, moment):
        """Wait until a moment, and until the victims are there; tells when that was."""
        began = time.monotonic()
        while victims != ("owner",) and self.owner.poll() is None:
            state = read_run(self.run.path)
            if state is not None and ("supervisor" not in victims or state.supervisor):
                break
            time.sleep(0.002)
        time.sleep(max(0.0, moment - (time.monotonic() - began)))
        return time.monotonic() - began

    def kill(self, victims):
        """SIGKILL to all of them at once, as far as they are there yet."""
        state = read_run(self.run.path)
        if state is not None:
            self.run_id, self.reaper, self.supervisor = (
                state.run_id, state.reaper, state.supervisor,
            )  # fmt: skip
        found = {
            "owner": ProcessId.of(self.owner.pid),
            "reaper": self.reaper,
            "supervisor": self.supervisor,
        }
        self.survivors = [
            found[one]
            for one in ("reaper", "supervisor")
            if one not in victims and found[one] is not None and found[one].is_alive()
        ]
        doomed = [found[one] for one in victims if found[one] is not None]
        for process in doomed:
            process.kill(signal.SIGSTOP)  # so that none of them sees the death of another
        for process in doomed:
            process.kill(signal.SIGKILL)
        if "owner" not in victims:  # it notices that its stack has gone, or ends as it would have
            try:
                self.owner.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.owner.kill()
                raise
        self.owner.wait()
        return [one for one in victims if found[one] is not None]

    def left(self):
        """All that there is of the run, in words."""
        launched = Launched(self.run, self.run_id, self.reaper, in_docker=False)
        words = left_behind([launched], {}) if self.run_id else []
        words += [f"process {one.pid}: a reaper" for one in marked(f"{MARK}={self.run.path}")]
        words += [f"process {pid}" for pid in all_pids() if self._is_below(pid)]
        words += [str(path) for path in (self.cache / "snapshots").glob(".new-*")]
        mounts = Path(PROC, "self", "mountinfo").read_text()
        words += [line for line in mounts.splitlines() if str(self.root) in line]
        words += [f"port {one}" for one in held_ports(self.reaper.pid)] if self.reaper else []
        return [*words, str(self.root)] if self.root.exists() else words

    def _is_below(self, pid):
        """Whether the command line of a process names the folders of this test."""
        try:
            line = Path(PROC, str(pid), "cmdline").read_bytes()
        except OSError:
            return False
        return os.fsencode(self.root) in line and pid != os.getpid()

    def wait_until_nothing_is_left(self, seconds):
        try:
            wait_until(lambda: not self.left(), timeout=seconds, what="nothing is left")
        except WaitTimeout:
            return self.left()
        return []


def whole_life(folder, namespaces):
    """Seconds from the start of an owner to its end, if nobody is killed."""
    began = time.monotonic()
    one = Round(folder, namespaces, "unharmed")
    assert one.owner.wait(timeout=120) == 0
    assert not one.left()
    assert (one.entry / "data").is_dir()
    return time.monotonic() - began


def next_command(one):
    """What every command does first."""
    return [*clean(one.root), *sweep_cache(one.cache)]


@pytest.mark.parametrize("namespaces", ["private", "shared"])
def test_whoever_is_killed_at_any_moment_nothing_is_left(tmp_path, namespaces, record_property):
    chosen = random.Random(f"{SEED} {namespaces}")

    counted, longest = Counter(), whole_life(tmp_path, namespaces)
    print(f"seed {SEED}; a whole life takes {longest:.2f} s")
    for number in range(KILLS if namespaces == "private" else max(KILLS // 10, 5)):
        one = Round(tmp_path, namespaces, number)
        victims, moment = chosen.choice(VICTIMS), chosen.uniform(0.0, longest)
        moment = one.wait_for(victims, moment)  # what this test varies
        killed = one.kill(victims)
        what = f"kill {number} of {victims} ({killed} were there) after {moment:.3f} s"
        left = one.wait_until_nothing_is_left(60 if one.survivors else 1)
        if left:
            # A supervisor that has just looked for its reaper for the last time sees no death.
            was_ending = set(victims) == {"owner", "reaper"} and moment > 0.75 * longest
            assert was_ending or not one.survivors, (what, left)
            counted["removed by the next command"] += 1
            next_command(one)
            left = one.wait_until_nothing_is_left(60)
        assert not left, (what, left)
        counted[" and ".join(killed) or "nobody: it had ended"] += 1
        print(what, flush=True)
    for name, count in sorted(counted.items()):
        record_property(name, count)
        print(f"{count:5} {name}")
