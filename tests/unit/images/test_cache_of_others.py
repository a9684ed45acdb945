"""A cache entry that another user could have made, or can change, is neither used nor removed."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from stackproof.engines.cache import cached_folder, is_there, locked, server_cache
from stackproof.engines.process.python.environments import ensure_environment
from stackproof.errors import Refused
from stackproof.isolation.snapshots import listed
from stackproof.plan.runtime import Runtime

LOCK = """\
import fcntl, sys
fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX)
print("held")
"""


@pytest.fixture
def cache():
    made = Path(tempfile.mkdtemp(prefix="stackproof-test-"))
    made.chmod(0o711)
    yield made / "cache"
    shutil.rmtree(made)


def fill(draft):
    (draft / "program").write_text("ours")


def never(_draft):
    raise AssertionError("it must not be built")


def test_an_entry_of_another_user_is_not_used(cache, other_user):
    entry = cached_folder(cache / "servers" / "postgres-1", fill)
    other_user.owns(entry)
    who = rf"user {other_user.uid} \({other_user.name}\)"
    with pytest.raises(Refused, match=rf"not safe to use\n.*postgres-1: it belongs to {who}"):
        cached_folder(entry, never)
    assert (entry / "program").exists()


@pytest.mark.parametrize("place", ["", "servers", "servers/postgres-1"])
def test_an_entry_that_others_can_write_to_is_not_used(cache, place):
    entry = cached_folder(cache / "servers" / "postgres-1", fill)
    (cache / place).chmod(0o777)
    with pytest.raises(Refused, match="others can write to it"):
        cached_folder(entry, never)


def test_a_cache_that_a_team_shares_is_refused_before_anything_is_made_in_it(cache, other_user):
    cache.mkdir()
    other_user.owns(cache)
    cache.chmod(0o2775)
    with pytest.raises(Refused, match="not shared between users"):
        cached_folder(cache / "servers" / "postgres-1", never)
    assert list(cache.iterdir()) == []


def test_a_virtualenv_of_another_user_is_not_used(cache, other_user):
    steps = []

    def make(step):
        steps.append(step)
        Path(step.argv[-1]).mkdir()

    runtime = Runtime(kind="project", python="")
    made = ensure_environment(runtime, cache, make)
    assert ensure_environment(runtime, cache, make).path == made.path
    assert len(steps) == 1
    other_user.owns(made.path)
    with pytest.raises(Refused, match="it belongs to user"):
        ensure_environment(runtime, cache, make)
    assert len(steps) == 1


def test_snapshots_of_another_user_are_not_listed(cache, other_user):
    cached_folder(cache / "snapshots" / "shop-1", fill)
    assert listed(cache) == []
    other_user.owns(cache / "snapshots")
    with pytest.raises(Refused, match="not safe to use"):
        listed(cache)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077], ids=oct)
def test_whatever_the_umask_is_only_the_user_can_change_a_cache(cache, umask):
    before = os.umask(umask)
    try:
        entry = cached_folder(cache / "servers" / "postgres-1", fill)
        assert server_cache(cache) == cache
    finally:
        os.umask(before)
    for path in [cache, cache / "servers", entry]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o022
        assert is_there(path)


def test_another_user_can_not_hold_the_lock_of_an_entry(cache, other_user):
    before = os.umask(0)
    try:
        with locked(cache / "servers" / "postgres-1"):
            pass
    finally:
        os.umask(before)
    lock = cache / "servers" / ".lock-postgres-1"
    done = other_user.run(["/usr/bin/python3", "-c", LOCK, str(lock)])
    assert "PermissionError" in done.stderr
    assert done.stdout == ""
