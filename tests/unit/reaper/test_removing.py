"""A folder goes although somebody still writes to it for a moment."""

import shutil
import subprocess
import sys
import time
import uuid

import pytest

from stackproof.reaper import removal, sweep
from stackproof.reaper.removal import remove_tree
from stackproof.waiting import wait_until


def test_a_folder_that_is_still_being_filled_goes_when_its_writer_ends(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    waits, remove = [], shutil.rmtree

    def is_filled_for_two_seconds(path, **more):
        if sum(waits) > 2:
            remove(path, **more)

    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(shutil, "rmtree", is_filled_for_two_seconds)

    remove_tree(str(tmp_path / "run"))

    assert not (tmp_path / "run").exists()
    assert sum(waits) < 3


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    remove_tree(str(tmp_path / "gone"))


def test_a_command_that_removes_what_is_in_docker_is_let_go_on_when_it_is_stopped(
    tmp_path, monkeypatch
):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nkill -STOP $$\necho done\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(removal.sys, "executable", str(program))
    said = removal.remove_docker("unix:///x", "x-e2e", "0" * 16, str(tmp_path), {})
    assert said == "done"


@pytest.mark.parametrize("look", ["marked", "descendants"])
def test_a_process_that_escapes_one_look_is_found_by_the_next(monkeypatch, look):
    mark = f"STACKPROOF_RUN={uuid.uuid4().hex}"
    name, value = mark.split("=")
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env={name: value}, stdin=subprocess.PIPE
    )
    wait_until(lambda: len(sweep.marked(mark)) == 2, timeout=20, what="both run")
    real, looks = getattr(sweep, look), []

    def sees_nothing_at_first(*arguments):
        looks.append(arguments)
        return [] if len(looks) == 1 else real(*arguments)

    monkeypatch.setattr(sweep, look, sees_nothing_at_first)
    if look == "marked":
        assert sweep.kill_marked(mark) == 2
    else:
        assert sweep.kill_descendants(parent.pid, seconds=10) == []
        parent.kill()
    parent.communicate()
    assert sweep.marked(mark) == []
