"""A folder goes although somebody still writes to it for a moment."""

import shutil
import time

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
