"""A folder goes although somebody still writes to it for a moment."""

import shutil
import time

from stackproof.reaper import removal
from stackproof.reaper.removal import remove_tree


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
