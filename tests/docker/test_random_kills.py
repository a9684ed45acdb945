"""Whoever has a hand in a stack on Docker is killed at a random moment: nothing is left.

The moments lie in its whole life: up, migrate, seed, snapshot, down, and a start from the snapshot.
`STACKPROOF_KILLS` says how often, `STACKPROOF_KILL_SEED` with which victims and moments.
"""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from stackproof.engines.compose.labels import SNAPSHOT
from stackproof.engines.compose.snapshot_removal import remove_images
from stackproof.errors import WaitTimeout
from stackproof.isolation.snapshots import snapshots_root
from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.sweep import PROC, ProcessId, all_pids
from stackproof.reaper.waking import MARK
from stackproof.waiting import wait_until

pytestmark = pytest.mark.usefixtures("bystander_unharmed")

KILLS = int(os.environ.get("STACKPROOF_KILLS", "5"))
SEED = int(os.environ.get("STACKPROOF_KILL_SEED", str(random.randrange(1 << 16))))

VICTIMS = (
    ("owner",), ("owner", "compose"), ("compose",), ("reaper",), ("supervisor",),
    ("owner", "reaper"), ("owner", "supervisor"), ("reaper", "supervisor"),
    ("owner", "reaper", "supervisor", "compose"),
)  # fmt: skip

LIFE = """\
import os
from pathlib import Path
from stackproof.isolation.isolated import open_stack
from stackproof.lifecycle import StackRequest
own = open_stack(StackRequest(root=Path.cwd(), environment=dict(os.environ)), print)
own.close(print)
"""

PREPARE = """\
migrate: {service: web, command: [python, -c, "open('/data/migrated', 'w').write('x')"]}
seed: {service: web, command: [python, -c, "open('/data/seeded', 'w').write('x')"]}
"""


class Lives:
    """Lives of a stack, one after the other, each of which is cut off."""

    def __init__(self, project):
        self.project = project
        self.cache = Path(tempfile.mkdtemp(prefix="stackproof-kills-"))
        self.cache.chmod(0o711)  # else root's snapshots would be in the cache of the whole machine
        project.environment["STACKPROOF_CACHE_DIR"] = str(self.cache)
        project.append(project.config, PREPARE)
        project.write("life.py", LIFE)
        self.owner = None
        self.survivors = []

    def begin(self):
        self.owner = self.project.hold("life.py")
        return self.owner

    def forget_snapshots(self):
        for entry in self.snapshots():
            remove_images(self.project.client, str(entry))
            shutil.rmtree(entry)

    def snapshots(self):
        return list(snapshots_root(self.cache).glob(f"{self.project.name}-*"))

    def wait_for(self, victims, moment):
        """Wait until a moment of the owner's life, and until the victims are there."""
        began = time.monotonic()
        while victims != ("owner",) and self.owner.poll() is None and not self.find(victims):
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            self.owner.wait(max(0.0, moment - (time.monotonic() - began)))
        return time.monotonic() - began

    def find(self, victims):
        """The victims that are there now, by name."""
        states = find_runs(self.project.state)
        found = {
            "owner": [ProcessId.of(self.owner.pid)],
            "reaper": [state.reaper for state in states],
            "supervisor": [state.supervisor for state in states],
            "compose": self.children(),
        }
        return {name: living for name in victims if (living := [one for one in found[name] if one])}

    def children(self):
        """What the owner has started in its own process group, such as `docker compose`."""
        found = []
        for pid in all_pids():
            with suppress(OSError):
                if os.getpgid(pid) == self.owner.pid != pid:
                    found.append(ProcessId.of(pid))
        return found

    def kill(self, victims):
        keepers = self.find([one for one in ("reaper", "supervisor") if one not in victims])
        self.survivors = [one for some in keepers.values() for one in some if one.is_alive()]
        found = self.find(victims)
        doomed = [process for processes in found.values() for process in processes]
        for process in doomed:
            process.kill(signal.SIGSTOP)  # so that none of them sees the death of another
        for process in doomed:
            process.kill(signal.SIGKILL)
        said, _ = self.owner.communicate(timeout=240)  # one that lives on notices by itself
        return list(found), said

    def left(self):
        """Everything of the stack that there is, in words."""
        api, name = self.project.client.api, self.project.name
        of_stack = {"label": [f"dev.stackproof.stack={name}"]}
        words = [one["Names"][0] for one in api.containers(all=True, filters=of_stack)]
        words += [one["Name"] for one in api.networks(filters=of_stack)]
        words += [one["Name"] for one in api.volumes(filters=of_stack)["Volumes"] or []]
        whole = set(map(str, self.snapshots()))
        for one in api.images(all=True, filters=of_stack):
            if one["Labels"].get(SNAPSHOT) not in whole:
                words.append(f"image {one['Id']} {one['RepoTags']}")
        drafts = snapshots_root(self.cache).glob(f".new-{name}-*")
        words += [str(path) for path in drafts]
        words += [f"process {pid}" for pid in all_pids() if self.is_ours(pid)]
        state = self.project.state
        return [*words, str(state)] if state.exists() else words

    def is_ours(self, pid):
        """Whether a process is one of the stack's keepers or commands."""
        words = (os.fsencode(self.project.name), os.fsencode(self.project.state), MARK.encode())
        with suppress(OSError):
            line = Path(PROC, str(pid), "cmdline").read_bytes()
            environment = Path(PROC, str(pid), "environ").read_bytes()
            is_reaper = words[2] in environment and words[1] in environment
            return pid != os.getpid() and (is_reaper or words[0] in line or words[1] in line)
        return False

    def wait_until_nothing_is_left(self, seconds):
        try:
            wait_until(lambda: not self.left(), timeout=seconds, what="nothing is left")
        except WaitTimeout:
            return self.left()
        return []


@pytest.fixture
def lives(project):
    made = Lives(project)
    yield made
    made.forget_snapshots()
    shutil.rmtree(made.cache)


def test_whoever_is_killed_at_any_moment_nothing_is_left_in_docker(lives, record_property):
    chosen, counted = random.Random(SEED), Counter()
    began = time.monotonic()
    said, _ = lives.begin().communicate(timeout=240)
    longest = time.monotonic() - began
    assert lives.owner.returncode == 0, said
    assert not lives.left()
    print(f"seed {SEED}; a whole life takes {longest:.1f} s")
    for number in range(KILLS):
        if chosen.random() < 0.7:
            lives.forget_snapshots()  # else it starts from one
        victims, moment = chosen.choice(VICTIMS), chosen.uniform(0.0, longest)
        lives.begin()
        moment = lives.wait_for(victims, moment)  # what this test varies
        killed, said = lives.kill(victims)
        what = f"kill {number} of {victims} ({killed} were there) after {moment:.2f} s"
        left = lives.wait_until_nothing_is_left(120 if lives.survivors else 3)
        if left:
            assert not lives.survivors, (what, left, said)
            counted["removed by the next command"] += 1
            lives.project.invoke("clean")
            left = lives.wait_until_nothing_is_left(60)
        assert not left, (what, left, said)
        counted[" and ".join(killed) or "nobody: it had ended"] += 1
        print(what, flush=True)
    for name, count in sorted(counted.items()):
        record_property(name, count)
        print(f"{count:5} {name}")
