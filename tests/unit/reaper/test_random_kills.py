"""Whoever has a hand in a run is killed at random moments, alone and together: nothing is left.

`STACKPROOF_KILLS` says how often, `STACKPROOF_KILL_SEED` with which victims and moments.
"""

import codecs
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from tests.other_users import SYSTEM_PYTHON
from tests.thoroughness import OTHER_PYTHON
from tests.unit.reaper.whole_owner import PROJECT

from stackproof.engines.inventory import held_ports, left_behind
from stackproof.engines.process.world.allowed import refusal
from stackproof.engines.process.world.network_link import PROGRAM
from stackproof.engines.unfinished import sweep_cache
from stackproof.errors import WaitTimeout
from stackproof.reaper.lease import Launched
from stackproof.reaper.leftovers import clean, read_run
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import PROC, ProcessId, all_pids, descendants, marked
from stackproof.reaper.waking import MARK
from stackproof.waiting import wait_until

OWNER = Path(__file__).with_name("whole_owner.py")
KILLS = int(os.environ.get("STACKPROOF_KILLS", "7" if OTHER_PYTHON else "20"))
SEED = int(os.environ.get("STACKPROOF_KILL_SEED", str(random.randrange(1 << 16))))

VICTIMS = (
    ("owner",), ("reaper",), ("supervisor",), ("owner", "reaper"), ("owner", "supervisor"),
    ("reaper", "supervisor"), ("owner", "reaper", "supervisor"),
)  # fmt: skip

OF_A_WORLD = (
    *VICTIMS, ("network",), ("owner", "network"), ("reaper", "network"), ("supervisor", "network"),
    ("owner", "reaper", "supervisor", "network"),
)  # fmt: skip
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")


class Round:
    """One life of a run, one kill, and the search for what is left."""

    def __init__(self, lives, number):
        self.lives = lives
        self.root, self.cache = lives.folder / "state", lives.folder / "cache"
        self.run = RunFolder(self.root, PROJECT)
        self.entry = self.cache / "snapshots" / f"k-{number}"
        self.owner = lives.begin(str(self.root), str(self.cache), lives.kind, self.entry.name)
        self.reaper = self.supervisor = self.network = None
        self.survivors = []
        self.run_id = ""
        self.holders = {}

    def wait_for(self, victims, moment):
        """Wait until a moment, and until the victims are there; tells when that was."""
        began = time.monotonic()
        while victims != ("owner",) and self.owner.poll() is None:
            state = self.lives.state_of(self.run)
            if state is not None and ("supervisor" not in victims or state.supervisor):
                self.supervisor = state.supervisor
                if "network" not in victims or self.find_network():
                    break
            time.sleep(0.002)
        time.sleep(max(0.0, moment - (time.monotonic() - began)))
        return time.monotonic() - began

    def find_network(self):
        """The network process of a private world; None while there is none."""
        below = descendants(self.supervisor.pid) if self.supervisor else []
        return next((one for one in below if PROGRAM.encode() in words_of(one.pid)), None)

    def kill(self, victims):
        """SIGKILL to all of them at once, as far as they are there yet."""
        state = self.lives.state_of(self.run)
        if state is not None:
            self.run_id, self.reaper, self.supervisor = (
                state.run_id, state.reaper, state.supervisor,
            )  # fmt: skip
        found = {
            "owner": ProcessId.of(self.owner.pid),
            "reaper": self.reaper,
            "supervisor": self.supervisor,
            "network": self.find_network(),
        }
        self.holders = self.find_holders()
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
        names = [name for _, name in socket.if_nameindex()]
        words += [f"link {name}" for name in names if re.fullmatch(r"(br|v)\d+", name)]
        words += [str(self.root)] if self.root.exists() else []
        return words or [
            f"process {one.pid} holds {kept}"
            for one, held in self.holders.items()
            if one.is_alive()
            for kept in held & held_namespaces(one.pid)
        ]

    def find_holders(self):
        """Each process with those of the run's namespaces that it holds; this one is in none.

        Only these are looked at later: the kernel gives the number of a namespace again at once.
        """
        if self.supervisor is None or self.lives.kind != "world":
            return {}
        own = [self.supervisor, *descendants(self.supervisor.pid)]
        names = set().union(*(held_namespaces(one.pid) for one in own)) - held_namespaces("self")
        found = {ProcessId.of(pid): held_namespaces(pid) & names for pid in all_pids()}
        return {one: held for one, held in found.items() if one and held}

    def _is_below(self, pid):
        """Whether the command line of a process names the folders of this test."""
        return os.fsencode(self.root) in words_of(pid) and pid != os.getpid()

    def wait_until_nothing_is_left(self, seconds):
        try:
            wait_until(lambda: not self.left(), timeout=seconds, what="nothing is left")
        except WaitTimeout:
            return self.left()
        return []


def words_of(pid):
    """The command line of a process; nothing once it has gone."""
    try:
        return Path(PROC, str(pid), "cmdline").read_bytes()
    except OSError:
        return b""


def held_namespaces(pid):
    """The namespaces that a process is in, or has a handle of, such as `net:[4026532001]`."""
    places = [Path(PROC, str(pid), "ns", name) for name in NAMESPACES]
    found = set()
    with suppress(OSError):
        places += list(Path(PROC, str(pid), "fd").iterdir())
    for place in places:
        with suppress(OSError):
            found.add(str(place.readlink()))
    return {one for one in found if one.partition(":")[0] in NAMESPACES}


class Lives:
    """Lives of runs of one kind, one after the other.

    Args:
        folder: Where they have their folders.
        kind: `private`, `shared` or `world`.
        user: The ordinary user whose they are; None for this one.
    """

    def __init__(self, folder, kind, user=None):
        self.folder = folder
        self.kind = kind
        self.user = user

    def begin(self, *arguments):
        """Start an owner."""
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if self.user is None:
            return subprocess.Popen([sys.executable, str(OWNER), *arguments], **silent)
        argv = [SYSTEM_PYTHON, "-c", OWNER.read_text(), *arguments]
        return self.user.popen(argv, environment=self.environment(), **silent)

    def environment(self):
        """Where the user finds what it imports."""
        return {"PYTHONPATH": self.user.import_path(), "PYTHONDONTWRITEBYTECODE": "1"}

    def state_of(self, run):
        """What the run's record says, as its user reads it: others refuse to."""
        codecs.lookup("ascii")  # loaded here, where its file can be read
        os.seteuid(self.user.uid if self.user else os.geteuid())
        try:
            return read_run(run.path)
        finally:
            os.seteuid(os.getuid())

    def whole(self):
        """Seconds from the start of an owner to its end, if nobody is killed."""
        began = time.monotonic()
        one = Round(self, "unharmed")
        assert one.owner.wait(timeout=120) == 0
        assert not one.left()
        assert (one.entry / "data").is_dir()
        return time.monotonic() - began

    def next_command(self, one):
        """What every command does first."""
        if self.user is None:
            clean(one.root)
            sweep_cache(one.cache)
            return
        done = self.user.python(NEXT, str(one.root), str(one.cache))
        assert done.returncode == 0, done.stderr


NEXT = """
import pathlib, sys
from stackproof.engines.unfinished import sweep_cache
from stackproof.reaper.leftovers import clean
clean(pathlib.Path(sys.argv[1]))
sweep_cache(pathlib.Path(sys.argv[2]))
"""


@pytest.fixture(params=["private", "shared", "world", "world of an ordinary user"])
def lives(request, tmp_path):
    if not request.param.startswith("world"):
        return Lives(tmp_path, request.param)
    why_not = refusal(tmp_path)
    if why_not:
        pytest.skip(f"no private world here: {why_not}")
    if request.param == "world":
        return Lives(tmp_path, "world")
    user = request.getfixturevalue("other_user")
    folder = Path(tempfile.mkdtemp(prefix="kills-", dir=user.home))
    user.owns(folder)
    return Lives(folder, "world", user)


SHARE = {"private": 1.0, "shared": 0.1, "world": 0.5}
"""Of the lives that are asked for."""


def test_whoever_is_killed_at_any_moment_nothing_is_left(lives, record_property):
    chosen = random.Random(f"{SEED} {lives.kind}")
    victims_of = OF_A_WORLD if lives.kind == "world" else VICTIMS
    counted, longest = Counter(), lives.whole()
    print(f"seed {SEED}; a whole life takes {longest:.2f} s")
    for number in range(max(round(KILLS * SHARE[lives.kind]), 5)):
        one = Round(lives, number)
        victims, moment = chosen.choice(victims_of), chosen.uniform(0.0, longest)
        moment = one.wait_for(victims, moment)  # what this test varies
        killed = one.kill(victims)
        what = f"kill {number} of {victims} ({killed} were there) after {moment:.3f} s"
        left = one.wait_until_nothing_is_left(60 if one.survivors else 1)
        if left:
            # A supervisor that has just looked for its reaper for the last time sees no death.
            was_ending = {"owner", "reaper"} <= set(victims) and moment > 0.75 * longest
            assert was_ending or not one.survivors, (what, left)
            counted["removed by the next command"] += 1
            lives.next_command(one)
            left = one.wait_until_nothing_is_left(60)
        assert not left, (what, left)
        counted[" and ".join(killed) or "nobody: it had ended"] += 1
        print(what, flush=True)
    for name, count in sorted(counted.items()):
        record_property(name, count)
        print(f"{count:5} {name}")
