"""Whether private worlds are allowed: tried for real, and refused for real where it can be had."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import running_below

from stackproof.engines.process.world import allowed
from stackproof.reaper.namespace import namespaces_allowed
from stackproof.waiting import wait_until

WHY_NOT = namespaces_allowed()
needs_namespaces = pytest.mark.skipif(WHY_NOT != "", reason=f"no namespaces here: {WHY_NOT}")

RESTRICTED = """
import os, sys
from pathlib import Path
from stackproof.engines.process.world import allowed
from stackproof.reaper import kernel
user, group, folder = os.getuid(), os.getgid(), sys.argv[1]
kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
kernel.map_ids(os.getpid(), f"0 {user} 1", f"0 {group} 1")
kernel.make_mounts_private()
"""
NO_NAMESPACES = 'Path("/proc/sys/user/max_user_namespaces").write_text("0")\n'
ON_AN_OVERLAY = """
for name in ("lower", "upper", "work", "state"):
    os.mkdir(f"{folder}/{name}")
layers = f"userxattr,lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
kernel.mount("overlay", f"{folder}/state", "overlay", 0, layers)
"""
ASK = 'print(allowed.refusal(Path(folder) / "state" / "runs"))\n'


def restricted(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", RESTRICTED + code + ASK, str(folder)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_namespaces
def test_where_all_steps_work_nothing_is_refused_and_nothing_left(tmp_path):
    assert allowed.refusal(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@needs_namespaces
def test_an_ordinary_user_may_have_a_private_world_as_well(other_user):
    code = """
import sys
from pathlib import Path
from stackproof.engines.process.world.allowed import refusal
print(repr(refusal(Path.home())))
"""
    done = other_user.python(code)
    assert done.stdout == "''\n", done.stderr


@needs_namespaces
def test_a_bound_of_user_namespaces_is_named_with_the_step_and_the_remedy(tmp_path):
    told = restricted(NO_NAMESPACES, tmp_path)
    assert told.startswith("make namespaces of users, processes and mounts: ")
    assert "unshare: No space left on device" in told
    assert told.endswith("let root set it: sysctl user.max_user_namespaces=10000")


@needs_namespaces
def test_a_folder_of_runs_on_an_overlay_is_named(tmp_path):
    told = restricted(ON_AN_OVERLAY, tmp_path)
    assert told.startswith("make ")
    assert "which lies on an overlay" in told
    assert told.endswith("let STACKPROOF_STATE_DIR name a folder on a disk or a tmpfs")


def test_another_system_has_no_namespaces(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "this is darwin" in allowed.refusal()


def test_a_trial_that_ends_without_an_answer_tells_its_last_words(monkeypatch):
    monkeypatch.setattr(allowed, "_BOOT", "raise SystemExit('no such module')")
    monkeypatch.setattr(allowed, "_found", {})
    assert allowed.refusal().startswith("try it: no such module; ")


def test_it_is_tried_once_for_a_file_system_and_again_where_a_trial_could_not_begin(
    monkeypatch, tmp_path
):
    tried = []
    answers = iter([{"step": "try it", "words": "closed"}, {}])
    monkeypatch.setattr(allowed, "_found", {})
    monkeypatch.setattr(allowed, "_try", lambda place: tried.append(place) or next(answers))
    told = [allowed.refusal(tmp_path / name).partition(";")[0] for name in ("a", "b", "c")]
    assert told == ["try it: closed", "", ""]
    assert tried == [tmp_path, tmp_path]


def test_a_folder_in_which_a_trial_may_make_nothing_is_named(other_user):
    code = """
from pathlib import Path
from stackproof.engines.process.world import allowed
print(allowed.refusal(Path("/proc/self/fd")))
"""
    told = other_user.python(code).stdout
    assert told.startswith("try it: /proc/self/fd/stackproof-trial-"), told


HANGING = """
import sys
from pathlib import Path
from stackproof.engines.process.world import allowed
hangs = "from stackproof.engines.process.world import trial; import signal; "
hangs += f"trial.{sys.argv[2]} = lambda *_, **__: signal.pause(); "
before, start, rest = allowed._BOOT.partition("from stackproof.engines.process.world.trial")
allowed._BOOT = before + hangs + start + rest
allowed.SECONDS = 2
print(allowed.refusal(Path(sys.argv[1])))
"""


def hanging(folder, step="_in_the_world"):
    command = [sys.executable, "-c", HANGING, str(folder), step]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


@needs_namespaces
@pytest.mark.parametrize("step", ["_in_the_world", "namespace._start_from_the_middle"])
def test_a_trial_that_hangs_is_ended_with_its_words_and_leaves_nothing(tmp_path, step):
    told, _ = hanging(tmp_path, step).communicate(timeout=120)
    assert told.startswith("try it: it did not come to its end in time; ")
    assert list(tmp_path.iterdir()) == []
    assert running_below(tmp_path) == []


@needs_namespaces
def test_a_trial_whose_command_is_killed_leaves_nothing(tmp_path):
    command = hanging(tmp_path)
    wait_until(lambda: list(tmp_path.iterdir()), timeout=60, what="the trial has begun")
    os.killpg(command.pid, signal.SIGKILL)
    command.communicate(timeout=60)
    wait_until(lambda: not list(tmp_path.iterdir()), timeout=60, what="nothing is left")


APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
CLONE = "/proc/sys/kernel/unprivileged_userns_clone"


@pytest.mark.parametrize(
    ("files", "root", "words"),
    [
        ({APPARMOR: "1"}, False, "sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
        ({CLONE: "0"}, False, "sysctl kernel.unprivileged_userns_clone=1"),
        ({"/proc/sys/user/max_user_namespaces": "0"}, True, "sysctl user.max_user_namespaces"),
        ({"/proc/sys/kernel/osrelease": "5.4.0-150-generic"}, True, "it takes Linux 5.12"),
        ({"/proc/sys/kernel/osrelease": "6.8.0", "/proc/1/cgroup": "0::/docker/1"}, True,
         "start the container with --privileged"),
    ],
)  # fmt: skip
def test_the_advice_fits_what_the_machine_says_of_itself(files, root, words):
    assert words in allowed.advice(lambda path: files.get(path, ""), root=root)


def test_a_restriction_of_ordinary_users_is_no_reason_for_root(monkeypatch):
    monkeypatch.setattr(allowed, "_is_container", lambda _: False)
    files = {APPARMOR: "1", CLONE: "0"}
    told = allowed.advice(lambda path: files.get(path, ""), root=True)
    assert told == "run as root, or allow unprivileged user namespaces"
