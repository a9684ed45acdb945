"""A full or read-only disk, a file in the place of a folder: one sentence, no traceback."""

import os
import subprocess
import sys

import pytest

from stackproof.reaper.sweep import marked

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


def assert_one_sentence(done, *parts):
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "Traceback" not in output
    assert "ERROR" in output
    assert "→" in output
    for part in parts:
        assert part in output


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
    assert_one_sentence(done, "o space left", str(folder), "STACKPROOF_STATE_DIR")
    assert not list(marked("STACKPROOF_RUN=shop-e2e"))


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
