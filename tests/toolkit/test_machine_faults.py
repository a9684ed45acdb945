"""A full or read-only disk, a file in the place of a folder: one sentence, no traceback."""

import errno
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress

import pytest
from tests.processes import running_below

from stackproof.errors import StackBusy
from stackproof.reaper import ownership
from stackproof.reaper.lock import ProjectLock
from stackproof.reaper.run_folder import RunFolder

CONFIG = "stack: shop\ncompose_files: [../compose.yaml]\n"
COMPOSE = """\
services:
  a:
    image: anything
    x-stackproof: {command: [sleep, "600"], environment_of: stackproof, ready: {alive: 0.1}}
"""
TASKS = "from stackproof.tasks import namespace\nns = namespace()\n"


@pytest.fixture
def invoke(tmp_path):
    folder = tmp_path / "project"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "shop.yaml").write_text(CONFIG)
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "tasks.py").write_text(TASKS)
    usual = {
        "STACKPROOF_STATE_DIR": str(tmp_path / "state"),
        "STACKPROOF_CACHE_DIR": str(tmp_path / "cache"),
    }

    def invoke(*arguments, before="", **environment):
        command = f"{before} exec {sys.executable} -m invoke {' '.join(arguments)}"
        return subprocess.run(
            ["/bin/sh", "-c", command], cwd=folder, env={**os.environ, **usual, **environment},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    invoke.folder = folder
    invoke.usual = usual
    return invoke


@pytest.fixture
def disk(tmp_path):
    """Makes small disks of their own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = []

    def make(name, *, options="size=64k", content=""):
        folder = tmp_path / name
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this machine lets nobody mount: {done.stderr.strip()}")
        mounted.append(folder)
        if content:
            (folder / "fill").write_text(content)
        if options != "size=64k":
            subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


ONE_AFTER_THE_OTHER = """\
import sys, traceback
from invoke.main import program
for name in sys.argv[1:]:
    code = 0
    try:
        program.run(["invoke", name])
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    print(f"{name} ends with {code}", flush=True)
"""
"""Runs several commands in one process, which is faster than one each."""

COMMANDS = ["up", "status", "logs", "config", "clean", "doctor", "down"]


@pytest.fixture
def all_commands(invoke):
    """What every command says, one after the other, and the exit status of each."""

    def run(**environment):
        command = [sys.executable, "-c", ONE_AFTER_THE_OTHER, *COMMANDS]
        done = subprocess.run(
            command, cwd=invoke.folder, env={**os.environ, **invoke.usual, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stdout, done.stdout
        codes = re.findall(r"^(\w+) ends with (\d+)$", done.stdout, flags=re.MULTILINE)
        return done.stdout, {name: int(code) for name, code in codes}

    return run


def assert_one_sentence(done, *parts):
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "Traceback" not in output
    assert "ERROR" in output
    assert "→" in output
    for part in parts:
        assert part in output


def assert_nothing_is_left(folder):
    assert [one.name for one in folder.iterdir() if one.name != "fill"] == []
    assert running_below(folder) == []


def fill(path):
    """Write until nothing fits any more."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        with suppress(OSError):
            while os.write(handle, b"x" * 1024):
                pass
    finally:
        os.close(handle)


def test_the_project_itself_starts_and_ends(invoke):
    assert invoke("up").returncode == 0
    done = invoke("down")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("where", ["STATE_DIR", "CACHE_DIR"])
@pytest.mark.parametrize("command", ["up"])
def test_a_file_where_a_folder_should_be(invoke, tmp_path, where, command):
    (tmp_path / "file").write_text("mine")
    done = invoke(command, **{f"STACKPROOF_{where}": str(tmp_path / "file")})
    assert "Traceback" not in done.stdout + done.stderr
    if command == "up" and where == "STATE_DIR":
        assert_one_sentence(done, str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"
    invoke("down")


def test_a_full_disk_for_what_runs_is_named_and_nothing_runs_on(invoke, disk):
    folder = disk("full", content="x" * 64 * 1024)
    done = invoke("up", STACKPROOF_STATE_DIR=str(folder))
    assert_one_sentence(done, f"no space left in {folder}\n", "STACKPROOF_STATE_DIR")
    assert_nothing_is_left(folder)


@pytest.mark.parametrize("pages", range(1, 5))
def test_a_disk_that_fills_during_the_start_leaves_neither_folder_nor_process(invoke, disk, pages):
    folder = disk("full", content="x" * (64 - 4 * pages) * 1024)
    done = invoke("up", STACKPROOF_STATE_DIR=str(folder))
    assert_one_sentence(done, f"no space left in {folder}\n", "STACKPROOF_STATE_DIR")
    assert_nothing_is_left(folder)


def test_a_disk_that_is_full_when_the_stack_is_up_still_lets_it_be_taken_down(invoke, disk):
    folder = disk("full")
    assert invoke("up", STACKPROOF_STATE_DIR=str(folder)).returncode == 0
    assert running_below(folder) != []
    fill(folder / "fill")
    status = invoke("status", STACKPROOF_STATE_DIR=str(folder))
    assert status.returncode == 0, status.stdout + status.stderr
    down = invoke("down", STACKPROOF_STATE_DIR=str(folder))
    assert down.returncode == 0, down.stdout + down.stderr
    assert_nothing_is_left(folder)


@pytest.mark.parametrize("blocks", [0, 1])
def test_a_limit_of_file_sizes_is_named_and_nothing_is_left(invoke, tmp_path, blocks):
    done = invoke("up", before=f"ulimit -f {blocks};")
    assert_one_sentence(done, "`ulimit")
    assert not (tmp_path / "state" / "runs").exists()


@pytest.mark.parametrize("place", ["STATE_DIR", "CACHE_DIR", "ARTIFACTS"])
@pytest.mark.parametrize("fault", ["file", "full", "read-only"])
def test_each_command_does_its_work_or_says_why_not(all_commands, request, tmp_path, place, fault):
    folder = tmp_path / "place"
    if fault == "file":
        folder.write_text("mine")
    elif fault == "full":
        folder = request.getfixturevalue("disk")("place", content="x" * 64 * 1024)
    else:
        folder = request.getfixturevalue("disk")("place", options="ro") / "inner"
    said, codes = all_commands(**{f"STACKPROOF_{place}": str(folder)})
    assert list(codes) == COMMANDS, said
    assert codes["doctor"] == 1, said
    if place != "STATE_DIR":  # this stack needs neither
        assert {code for name, code in codes.items() if name != "doctor"} == {0}, said
    else:
        assert {codes[one] for one in ("up", "status", "logs")} == {1}, said
        assert f"{folder}" in said
    assert said.count("ERROR") <= said.count("→"), said
    assert not (tmp_path / "state" / "runs").exists()


@pytest.mark.parametrize("home", ["missing", "read-only"])
def test_a_home_that_cant_be_written_to_is_no_obstacle(all_commands, request, tmp_path, home):
    folder = tmp_path / "missing"
    if home == "read-only":
        folder = request.getfixturevalue("disk")("home", options="ro")
    said, codes = all_commands(HOME=str(folder))
    assert set(codes.values()) == {0}, said


def test_a_read_only_folder_below_which_nothing_can_be_made_is_named_whole(disk):
    folder = disk("read-only", options="ro")
    with pytest.raises(OSError, match="Read-only") as caught:
        ownership.open_folder(str(folder / "a" / "b"), make=True)
    assert (caught.value.errno, caught.value.filename) == (errno.EROFS, str(folder / "a"))


def test_a_lock_can_be_taken_on_a_full_disk_that_has_no_room_for_its_holder(disk):
    folder = disk("full")
    run = RunFolder(folder / "runs", "shop-e2e")
    (folder / "stackproof").mkdir(mode=0o700)
    lock = ProjectLock(run, {})
    lock.folder = folder / "stackproof"
    (lock.folder / "locks").touch(mode=0o600)
    fill(folder / "fill")
    with lock, pytest.raises(StackBusy), another(lock):
        pytest.fail("it was taken twice")


def another(lock):
    second = ProjectLock(lock.run, {})
    second.folder = lock.folder
    return second


@pytest.mark.parametrize("command", ["up"])
def test_a_read_only_disk_is_named(invoke, disk, command):
    folder = disk("read-only", options="ro")
    done = invoke(command, STACKPROOF_STATE_DIR=str(folder / "state"))
    assert "Traceback" not in done.stdout + done.stderr
    if command == "up":
        assert_one_sentence(done, "ead-only", str(folder))


def test_a_path_that_is_too_long_is_a_sentence(invoke):
    done = invoke("up", STACKPROOF_STATE_DIR="/tmp/" + "x" * 300)
    assert_one_sentence(done, "too long")


def test_a_bug_keeps_its_traceback_and_says_that_it_is_one(invoke):
    (invoke.folder / "tasks.py").write_text(
        TASKS + "from stackproof import lifecycle\nlifecycle.prepare = lambda *_: 1 // 0\n"
    )
    done = invoke("up")
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" in done.stderr
    assert "this is a bug in stackproof" in done.stderr


NOXFILE = """\
from pathlib import Path
from stackproof import errors, sessions
from stackproof.sessions import definition
def broken(session, project):
    {body}
definition._lint = broken
sessions.define_sessions(sessions.Project(Path.cwd()))
"""


@pytest.mark.parametrize(
    ("body", "said", "is_a_bug"),
    [
        ("1 // 0", "ZeroDivisionError", True),
        ("session.error('wrong')", "wrong", False),
        ("session.run('false', external=True)", "exit code 1", False),
        ("open('noxfile.py/x')", "a file, not a folder: noxfile.py/x", False),
        ("raise errors.StackproofError('no way', remedy='go back')", "→ go back", False),
    ],
    ids=["bug", "error", "command", "machine", "expected"],
)
def test_a_session_calls_a_bug_a_bug_and_nothing_else(tmp_path, body, said, is_a_bug):
    (tmp_path / "noxfile.py").write_text(NOXFILE.format(body=body))
    done = subprocess.run(
        [sys.executable, "-m", "nox", "-s", "lint", "--no-venv"], cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert said in output
    assert ("this is a bug in stackproof" in output) == is_a_bug
    assert ("Traceback" in output) == is_a_bug


@pytest.mark.parametrize("place", ["STATE_DIR", "CACHE_DIR", "ARTIFACTS"])
def test_what_a_user_may_not_read_or_write_is_named(invoke, other_user, place):
    project = other_user.home / f"project-{place}"
    shutil.copytree(invoke.folder, project)
    other_user.owns(project)
    closed = project / "closed"
    closed.mkdir(mode=0o000)
    commands = COMMANDS if place == "STATE_DIR" else COMMANDS[1:]
    done = other_user.python(
        ONE_AFTER_THE_OTHER, *commands, cwd=project,
        environment={f"STACKPROOF_{place}": str(closed / "inner")},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    codes = dict(re.findall(r"^(\w+) ends with (\d+)$", done.stdout, flags=re.MULTILINE))
    assert list(codes) == commands, said
    if place == "STATE_DIR":
        assert f"ermission denied: {closed}" in said
        assert set(codes.values()) == {"1"}, said
    else:
        failed = {name for name, code in codes.items() if code != "0"}
        assert failed == {"status", "logs", "doctor"}, said
        assert said.count("is not up\n→") == 2, said
