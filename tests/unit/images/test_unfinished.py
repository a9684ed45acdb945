"""What killed makers have left in a cache is found and removed; what is being made is not."""

import signal
import subprocess
import sys
import threading

import pytest

from stackproof.engines import cache as cache_of
from stackproof.engines import lock_holder
from stackproof.engines.cache import cached_folder, locked
from stackproof.engines.unfinished import COMPLETE, sweep_cache
from stackproof.errors import StackBusy
from stackproof.reaper.sweep import ProcessId
from stackproof.waiting import wait_until

MAKER = """\
import sys, time
from pathlib import Path
from stackproof.engines.cache import cached_folder
def build(draft):
    (draft / "half").write_text("x")
    print("half", flush=True)
    time.sleep(600)
cached_folder(Path(sys.argv[1]), build)
"""

SHELVES = ["snapshots", "servers", "templates", "projects", "builds"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache; what root's servers would use instead, since they can't reach it, is another."""
    monkeypatch.setattr(cache_of, "SYSTEM_CACHE", tmp_path / "system")
    return tmp_path / "cache"


@pytest.fixture
def making():
    """Starts a process that makes an entry, and does not come to its end."""
    started = []

    def start(entry):
        maker = subprocess.Popen(
            [sys.executable, "-c", MAKER, str(entry)], stdout=subprocess.PIPE, text=True
        )
        started.append(maker)
        assert maker.stdout.readline() == "half\n"
        return maker

    yield start
    for maker in started:
        maker.kill()
        maker.communicate()


def names(cache):
    return sorted(path.name for path in cache.rglob("*") if path.name != "CACHEDIR.TAG")


@pytest.mark.parametrize("shelf", SHELVES)
def test_the_draft_of_a_killed_maker_is_removed_with_its_lock(cache, making, shelf):
    maker = making(cache / shelf / "shop-1f")
    maker.kill()
    maker.wait()
    (line,) = sweep_cache(cache)
    assert "shop-1f-" in line
    assert "which was being made by a process that was killed" in line
    assert names(cache) == [shelf]
    assert sweep_cache(cache) == []


def test_the_draft_of_a_maker_that_is_at_work_or_stopped_is_left(cache, making):
    maker = making(cache / "snapshots" / "shop-1f")
    assert sweep_cache(cache) == []
    maker.send_signal(signal.SIGSTOP)
    assert sweep_cache(cache) == []
    assert any(name.startswith(".new-shop-1f-") for name in names(cache))


def test_a_virtualenv_without_its_mark_is_removed_unless_somebody_makes_it(cache):
    for name in ("half", "whole"):
        with locked(cache / "virtualenvs" / name):
            (cache / "virtualenvs" / name).mkdir()
    (cache / "virtualenvs" / "whole" / COMPLETE).touch()
    with locked(cache / "virtualenvs" / "half"):
        assert sweep_cache(cache) == []
    assert len(sweep_cache(cache)) == 1
    assert [name for name in names(cache) if not name.startswith(".")] == ["virtualenvs", "whole"]


def test_what_has_another_name_than_a_draft_is_left(cache):
    with locked(cache / "snapshots" / "x"):
        for name in (".new-", ".new-x", ".new-x-nothex", "x-0123abcd"):
            (cache / "snapshots" / name).mkdir()
    assert sweep_cache(cache) == []
    assert len(names(cache)) == 6


def test_a_cache_that_is_not_there_has_nothing_left(cache):
    assert sweep_cache(cache) == []
    assert names(cache) == []


def test_an_entry_that_a_stopped_process_makes_is_not_waited_for(cache, making, monkeypatch):
    monkeypatch.setattr(lock_holder, "STOPPED_SECONDS", 0.1)
    maker = making(cache / "snapshots" / "shop-1f")
    maker.send_signal(signal.SIGSTOP)
    wait_until(ProcessId.of(maker.pid).is_stopped, timeout=20, what="it is stopped")
    with pytest.raises(StackBusy) as raised:
        cached_folder(cache / "snapshots" / "shop-1f", lambda draft: None)
    assert f"`kill -CONT {maker.pid}`" in str(raised.value)


def test_an_entry_that_somebody_makes_slowly_is_waited_for(cache, monkeypatch):
    monkeypatch.setattr(lock_holder, "STOPPED_SECONDS", 0.0)
    entry, go_on = cache / "snapshots" / "shop-1f", threading.Event()
    maker = threading.Thread(target=cached_folder, args=(entry, lambda draft: go_on.wait(60)))
    maker.start()
    wait_until(lambda: list(entry.parent.glob(".new-*")), timeout=20, what="it is begun")
    other = threading.Thread(target=cached_folder, args=(entry, None))
    other.start()
    other.join(0.2)
    assert other.is_alive()
    go_on.set()
    other.join(20)
    maker.join(20)
    assert entry.is_dir()
