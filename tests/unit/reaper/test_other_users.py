"""What another user of the machine has put among the runs is neither obeyed nor removed."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from stackproof.errors import Refused, StartFailed
from stackproof.reaper import port_claims
from stackproof.reaper.launch import launch
from stackproof.reaper.leftovers import clean, find_runs, read_run
from stackproof.reaper.lock import ProjectLock
from stackproof.reaper.port_claims import claim
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down

EVIL = """\
import json, os, pathlib, sys
root, canary, victim = sys.argv[1:]
folder = pathlib.Path(root, "runs", "evil")
folder.mkdir(parents=True, exist_ok=True)
record = {
    "run_id": "0" * 16, "project": "evil", "boot_id": "", "created": 0, "owner": None,
    "reaper": None, "supervisor": None, "namespace": "", "intended": [victim],
    "farewell": ["/bin/sh", "-c", f"id > {canary}"], "docker": {"host": "tcp://127.0.0.1:1"},
}
(folder / "record.json").write_text(json.dumps(record))
(folder / "cgroups").write_text(f"{victim}\\n")
for path in (pathlib.Path(root), folder.parent, folder):
    path.chmod(0o755)
"""


@pytest.fixture
def place():
    """A folder where everybody may put things, as in the folder for temporary files."""
    made = Path(tempfile.mkdtemp(prefix="stackproof-test-"))
    made.chmod(0o1777)
    yield made
    shutil.rmtree(made)


class Attack:
    """A run that another user has planted, and what it would do."""

    def __init__(self, user, place):
        self.user = user
        self.place = place
        self.root = place / "state"
        self.victim = place / "home of root"
        self.victim.mkdir(mode=0o700)
        (self.victim / "thesis").write_text("years of work")

    def plant(self, root=None):
        done = self.user.python(
            EVIL, str(root or self.root), str(self.place / "canary"), str(self.victim)
        )
        assert done.returncode == 0, done.stderr

    def has_done_nothing(self):
        assert not (self.place / "canary").exists()
        assert (self.victim / "thesis").exists()
        return True


@pytest.fixture
def attack(other_user, place):
    return Attack(other_user, place)


def test_a_state_root_of_somebody_else_is_not_looked_at(attack):
    attack.plant()
    for look in (clean, find_runs):
        with pytest.raises(Refused, match=rf"state is not safe to use\n.*user {attack.user.uid}"):
            look(attack.root)
    with pytest.raises(Refused, match="not safe"):
        read_run(attack.root / "runs" / "evil")
    assert attack.has_done_nothing()
    assert (attack.root / "runs" / "evil" / "record.json").exists()


CLEAN = """\
import sys
from pathlib import Path
from stackproof.errors import Refused
from stackproof.reaper.leftovers import clean
try:
    print(clean(Path(sys.argv[1])))
except Refused as error:
    print(error)
"""


def test_a_state_root_of_root_is_not_looked_at_by_another_user(attack):
    """Root is trusted with what it can do anyway, but its runs are not another user's."""
    marker = attack.place / "canary"
    subprocess.run(["/usr/bin/python3", "-c", EVIL, attack.root, marker, attack.victim], check=True)
    done = attack.user.python(CLEAN, str(attack.root))
    assert f"{attack.root} is not safe to use\n  it belongs to user 0 (root)" in done.stdout
    assert attack.has_done_nothing()


def test_a_folder_of_runs_of_somebody_else_is_not_looked_at(attack):
    attack.root.mkdir(mode=0o755)
    attack.plant(attack.place / "theirs")
    (attack.place / "theirs" / "runs").rename(attack.root / "runs")
    with pytest.raises(Refused, match="runs is not safe to use"):
        clean(attack.root)
    assert attack.has_done_nothing()


def test_a_run_of_somebody_else_is_named_in_one_line_and_left(attack):
    (attack.root / "runs").mkdir(parents=True)
    attack.plant(attack.place / "theirs")
    evil = attack.root / "runs" / "evil"
    (attack.place / "theirs" / "runs" / "evil").rename(evil)
    assert find_runs(attack.root) == []
    who = f"user {attack.user.uid} ({attack.user.name})"
    assert clean(attack.root) == [f"{evil} is not looked at: it belongs to {who}"]
    assert attack.has_done_nothing()
    assert (evil / "record.json").exists()


def test_a_record_of_somebody_else_in_a_folder_of_ours_is_not_read(attack):
    attack.plant(attack.place / "theirs")
    evil = attack.root / "runs" / "evil"
    evil.mkdir(parents=True)
    (attack.place / "theirs/runs/evil/record.json").rename(evil / "record.json")
    (line,) = clean(attack.root)
    assert line.startswith(f"{evil}/record.json is not looked at: it belongs to user")
    assert attack.has_done_nothing()


@pytest.mark.parametrize("what", ["root", "runs", "folder", "record"])
def test_what_others_can_write_to_is_not_obeyed(tmp_path, what):
    runs = tmp_path / "state" / "runs"
    folder = runs / "x-e2e"
    folder.mkdir(parents=True)
    record = folder / "record.json"
    record.write_text("{}")
    {"root": runs.parent, "runs": runs, "folder": folder, "record": record}[what].chmod(0o777)
    with pytest.raises(Refused, match="others can write to it"):
        read_run(folder)


@pytest.mark.parametrize("what", ["root", "runs", "folder", "record"])
def test_a_link_is_not_followed(tmp_path, what):
    """Not even one of ours: where it leads may be somebody else's."""
    folder = tmp_path / "state" / "runs" / "x-e2e"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{}")
    path = {"root": folder.parent.parent, "runs": folder.parent, "folder": folder}.get(
        what, folder / "record.json"
    )
    path.rename(tmp_path / "real")
    path.symlink_to(tmp_path / "real")
    if what in {"root", "runs"}:
        with pytest.raises(Refused, match="link"):
            clean(tmp_path / "state")
    else:
        (line,) = clean(tmp_path / "state")
        assert line == f"{path} is not looked at: it is a link"
    assert (tmp_path / "real").exists()


def test_a_pipe_in_place_of_a_record_does_not_hold_anybody_up(tmp_path):
    folder = tmp_path / "runs" / "x-e2e"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "record.json", 0o600)
    with pytest.raises(Refused, match="not a file"):
        read_run(folder)


def test_a_parent_that_others_can_write_to_is_refused_unless_it_is_sticky(tmp_path):
    parent = tmp_path / "open"
    (parent / "state").mkdir(parents=True)
    parent.chmod(0o777)
    with pytest.raises(Refused, match="open is not safe to use"):
        clean(parent / "state")
    parent.chmod(0o1777)
    assert clean(parent / "state") == []


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "0"},
        {"run_id": "../../../etc"},
        {"project": "../x"},
        {"project": "another"},
        {"reaper": [-1, 0]},
        {"reaper": ["1", 0]},
        {"supervisor": [True, 0]},
        {"intended": "/"},
        {"intended": [7]},
        {"docker": {"host": "ssh://-oProxyCommand=sh"}},
        {"docker": {"host": "unix:///a b"}},
        {"docker": "tcp://x"},
    ],
    ids=str,
)
def test_a_record_that_says_anything_else_than_a_record_does_is_as_good_as_none(tmp_path, change):
    folder = tmp_path / "runs" / "x-e2e"
    folder.mkdir(parents=True)
    record = {
        "run_id": "a" * 16, "project": "x-e2e", "boot_id": "b", "owner": None, "reaper": [1, 0],
        "supervisor": None, "intended": [], "docker": {"host": "unix:///var/run/docker.sock"},
    }  # fmt: skip
    (folder / "record.json").write_text(json.dumps(record))
    assert read_run(folder).run_id == "a" * 16
    (folder / "record.json").write_text(json.dumps({**record, **change}))
    state = read_run(folder)
    assert (state.run_id, state.reaper, state.intended, state.docker_host) == ("", None, (), "")


def test_nothing_is_removed_but_drafts_in_a_cache(tmp_path):
    folder = tmp_path / "state" / "runs" / "x-e2e"
    folder.mkdir(parents=True)
    mine, look_alike = tmp_path / "thesis", tmp_path / ".new-thesis"
    mine.mkdir()
    look_alike.mkdir()
    record = {
        "run_id": "a" * 16, "project": "x-e2e", "boot_id": "b", "owner": None, "reaper": None,
        "supervisor": None, "intended": [str(mine), str(look_alike), f"{folder}/../.new-x"],
        "docker": None,
    }  # fmt: skip
    (folder / "record.json").write_text(json.dumps(record))
    (line,) = clean(tmp_path / "state")
    assert f"{mine} is left: it is no draft of a cache entry" in line
    assert f"{look_alike} is left: it is not in a cache" in line
    assert mine.exists()
    assert look_alike.exists()


def test_control_groups_of_others_are_left_alone(tmp_path):
    """A list of control groups could name any folder with a file of process numbers."""
    folder = tmp_path / "state" / "runs" / "x-e2e"
    group = tmp_path / f"stackproof-{'a' * 16}"
    folder.mkdir(parents=True)
    group.mkdir()
    (folder / "cgroups").write_text(f"{group}\n/sys/fs/cgroup/../..{group}\n")
    record = {
        "run_id": "a" * 16, "project": "x-e2e", "boot_id": "b", "owner": None, "reaper": None,
        "supervisor": None, "intended": [], "docker": None,
    }  # fmt: skip
    (folder / "record.json").write_text(json.dumps(record))
    assert len(clean(tmp_path / "state")) == 1
    assert group.exists()


FLICKER = """\
import os, sys, time
root = sys.argv[1]
print("begun", flush=True)
while True:
    try:
        os.mkdir(root, 0o777)
        os.chmod(root, 0o777)
        time.sleep(0.005)  # what the other side does meanwhile is the race
        os.rmdir(root)
    except OSError:
        pass
    time.sleep(0.005)
"""


def start_against(attack, root):
    """Start a run; tells whether it got past the first look, and makes sure that it is ours."""
    run = RunFolder(root, "x-e2e")
    try:
        launch(run, ["/bin/sleep", "600"], environment={})
    except Refused:
        return False
    except StartFailed:
        return True
    made = [root, root / "runs", run.path, run.path / "record.json"]
    assert [one.stat().st_uid for one in made] == [os.geteuid()] * len(made)
    take_down(run, seconds=0)
    return True


def test_a_state_root_that_is_made_between_the_look_and_the_start_is_refused(attack, monkeypatch):
    start = subprocess.Popen

    def plant_and_start(argv, **options):
        monkeypatch.setattr(subprocess, "Popen", start)
        attack.plant()
        return start(argv, **options)

    monkeypatch.setattr(subprocess, "Popen", plant_and_start)
    assert start_against(attack, attack.root)
    assert sorted(one.name for one in (attack.root / "runs").iterdir()) == ["evil"]
    assert attack.has_done_nothing()


def test_a_race_for_the_state_root_is_never_won(attack):
    argv = ["/usr/bin/python3", "-c", FLICKER, str(attack.root)]
    with attack.user.popen(argv, stdout=subprocess.PIPE) as racer:
        try:
            assert racer.stdout.readline() == "begun\n"
            tries = 0
            while tries < 20:
                tries += start_against(attack, attack.root)
        finally:
            racer.kill()


SQUAT = """\
import socket, sys
held = []
for port in range(int(sys.argv[1]), int(sys.argv[2]) + 1):
    held.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    held[-1].bind(f"\\0stackproof-port-{port}")
    held[-1].listen(1)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def squatter(other_user, monkeypatch):
    """Another user who has taken every name that stands for a port; of a few, for other tests."""
    monkeypatch.setattr(port_claims, "FIRST_PORT", 1990)
    monkeypatch.setattr(port_claims, "LAST_PORT", 1999)
    argv = ["/usr/bin/python3", "-c", SQUAT, "1990", "1999"]
    with other_user.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_whoever_has_taken_all_names_of_ports_is_named(squatter, other_user):
    who = f"process {squatter.pid} of user {other_user.uid} ({other_user.name})"
    with pytest.raises(OSError, match=r"no 2 free ports .* 10 are claimed") as no:
        claim(2, [])
    assert who in str(no.value)


def test_ports_whose_names_another_user_has_taken_are_passed_over(squatter, monkeypatch):
    monkeypatch.setattr(port_claims, "LAST_PORT", 2100)
    held = []
    assert min(claim(20, held)) >= 2000
    for one in held:
        one.close()


def test_names_that_another_user_has_taken_lock_nobody_out(other_user, tmp_path):
    """The lock of a project was such a name, made of the path of its run folder."""
    run = RunFolder(tmp_path, "x-e2e")
    name = "lock-" + hashlib.sha256(str(run.path).encode()).hexdigest()[:24]
    code = (
        f"import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind('\\0stackproof-{name}')\n"
    )
    argv = ["/usr/bin/python3", "-c", f"{code}print('held', flush=True)\nsys.stdin.read()"]
    with other_user.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as squatter:
        assert squatter.stdout.readline() == "held\n"
        with ProjectLock(run, {}):
            squatter.kill()


def test_locks_are_in_a_file_that_is_ours(attack, monkeypatch):
    monkeypatch.setattr("stackproof.reaper.run_folder.SYSTEM_STATE", attack.place / "theirs")
    run = RunFolder(attack.root, "x-e2e")
    attack.plant(attack.place / "theirs")
    with pytest.raises(Refused, match="theirs is not safe to use"):
        ProjectLock(run, {}).__enter__()


LIFE = """\
import os, sys
from pathlib import Path
from stackproof.reaper.launch import launch
from stackproof.reaper.takedown import take_down
from stackproof.reaper.leftovers import clean
from stackproof.reaper.lock import ProjectLock
from stackproof.reaper.run_folder import RunFolder, state_root
os.umask(0o002)
root = state_root(os.environ)
run = RunFolder(root, "x-e2e")
for _ in range(2):
    with ProjectLock(run, os.environ):
        launch(run, ["/bin/sleep", "600"], environment={})
        made = root, run.path, run.path / "record.json"
        print([oct(one.stat().st_mode & 0o777) for one in made])
        take_down(run, seconds=0)
print(root, root.exists(), clean(root))
"""


def test_an_ordinary_user_has_runs_in_a_folder_of_its_own_again_and_again(other_user):
    """With the umask of distributions that give each user a group."""
    (other_user.home / ".cache").mkdir(exist_ok=True)
    other_user.owns(other_user.home / ".cache")
    (other_user.home / ".cache").chmod(0o775)
    done = other_user.python(LIFE)
    assert done.returncode == 0, done.stderr
    modes = "['0o700', '0o700', '0o600']"
    *seen, last = done.stdout.splitlines()
    assert seen == [modes, modes]
    assert last.startswith(f"{other_user.home}/.cache/stackproof/run-")
    assert last.endswith(" False []")


def test_a_group_of_several_users_is_somebody_else(other_user, place):
    root = place / "state"
    root.mkdir()
    os.chown(root, other_user.uid, other_user.uid)
    root.chmod(0o775)
    assert other_user.python(CLEAN, str(root)).stdout == "[]\n"
    os.chown(root, other_user.uid, 100)  # the group `users`
    root.chmod(0o775)
    assert "others can write to it (mode 0775)" in other_user.python(CLEAN, str(root)).stdout


def test_a_folder_below_another_users_closed_one_is_none_that_runs_could_be_kept_in(other_user):
    closed = "/root" if os.geteuid() == 0 else "/nowhere"
    done = other_user.python(
        "from stackproof.reaper.run_folder import state_base\n"
        f"print(state_base({{'XDG_CACHE_HOME': '{closed}/x', 'HOME': '{other_user.home}'}}))"
    )
    assert done.stdout.strip() == f"{other_user.home}/.cache/stackproof", done.stderr
