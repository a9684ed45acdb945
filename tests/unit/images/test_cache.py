"""A cache entry is made once, appears whole, and a build that was killed is done again."""

import tempfile
import threading
from pathlib import Path

import pytest

from stackproof.engines.cache import cached_folder, content_key, reachable_by_others


def test_an_entry_is_built_once(tmp_path):
    built = []

    def build(folder):
        built.append(folder)
        (folder / "file").write_text("")

    for _ in range(2):
        assert (cached_folder(tmp_path / "entry", build) / "file").exists()
    assert len(built) == 1


def test_several_builders_at_once_make_it_once(tmp_path):
    built = []
    gate = threading.Barrier(4)

    def build(folder):
        built.append(folder)
        (folder / "file").write_text("")

    def ask():
        gate.wait()
        cached_folder(tmp_path / "entry", build)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_an_entry_is_not_seen_before_it_is_complete(tmp_path):
    seen = []
    cached_folder(tmp_path / "entry", lambda _folder: seen.append((tmp_path / "entry").exists()))
    assert seen == [False]


def test_a_failed_build_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_folder(tmp_path / "entry", fail)
    assert [one for one in tmp_path.iterdir() if one.is_dir()] == []


def test_what_a_killed_build_has_left_is_removed(tmp_path):
    left = tmp_path / ".new-entry-abc"
    left.mkdir()
    other = tmp_path / ".new-another-abc"
    other.mkdir()
    cached_folder(tmp_path / "entry", lambda _folder: None)
    assert not left.exists()
    assert other.exists()


def test_the_key_depends_on_every_part():
    assert content_key("a", 1) == content_key("a", 1)
    assert len({content_key("a", 1), content_key("a", 2), content_key("a", "1")}) == 3


def test_a_folder_below_a_closed_one_can_not_be_reached(tmp_path):
    (tmp_path / "closed" / "open").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert not reachable_by_others(tmp_path / "closed" / "open")
    assert reachable_by_others(Path(tempfile.gettempdir()))
