"""Snapshots are made once, checked when used, bounded, and removed on request."""

import fcntl
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from stackproof.engines.cache import locked, locked_if_free
from stackproof.errors import EngineUnavailable, StackproofError
from stackproof.isolation import snapshots
from stackproof.isolation.snapshot_key import _written
from stackproof.stack_file import load_stack_file
from stackproof.stack_file.model import Mount


class Keeper:
    """An engine whose snapshots are a file and a thing elsewhere."""

    name = "compose"

    def __init__(self):
        self.snapshots = self
        self.outside = {}
        self.size = 1
        self.is_away = False

    def take(self, draft, entry):
        (draft / "data").write_text("after seed")
        self.outside[str(entry)] = "image"
        return self.size

    def fault(self, entry):
        return "" if str(entry) in self.outside else "the image is missing"

    def drop(self, entry):
        if self.is_away:
            raise EngineUnavailable("it does not answer")
        self.outside.pop(str(entry), None)
        return []

    def entries(self):
        return set(self.outside)


class Stacks:
    """Stacks whose snapshots are named by a word instead of their content."""

    def __init__(self, folder):
        self.keeper = Keeper()
        self.cache = folder / "cache"
        self.told = []
        self.made = []

    def resolved(self, word):
        return SimpleNamespace(
            settings=SimpleNamespace(cache=self.cache),
            plan=SimpleNamespace(stack="shop"),
            engine=self.keeper,
            engine_of=self.engine_of,
            word=word,
        )

    def engine_of(self, name):
        return self.keeper if name == "compose" else Keeper()

    def use(self, word):
        def make(publish):
            self.made.append(word)
            publish(self.keeper.take, intend=None)

        with snapshots.held(self.resolved(word), make, self.told.append) as entry:
            return (entry / "data").read_text()

    def names(self):
        return [one.path.name for one in snapshots.listed(self.cache)]

    def entry(self, word):
        return snapshots.snapshots_root(self.cache) / f"shop-{word}"

    def used_at(self, word, seconds):
        os.utime(self.entry(word), (seconds, seconds))


@pytest.fixture
def stacks(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "snapshot_key", lambda resolved, _say: resolved.word)
    monkeypatch.setattr(snapshots, "server_cache", lambda cache: cache)
    return Stacks(tmp_path)


def test_one_is_made_for_the_first_and_used_by_the_next(stacks):
    assert stacks.use("one") == stacks.use("one") == "after seed"
    assert stacks.made == ["one"]


def test_several_that_need_it_at_once_make_it_once(stacks):
    gate = threading.Barrier(4)

    def use(_):
        gate.wait()
        return stacks.use("one")

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(use, range(4))) == {"after seed"}
    assert stacks.made == ["one"]


def test_one_that_is_damaged_is_made_again_and_it_is_said(stacks):
    stacks.use("one")
    stacks.keeper.outside.clear()
    assert stacks.use("one") == "after seed"
    assert stacks.made == ["one", "one"]
    assert stacks.told == ["note: recreating the damaged snapshot shop-one: the image is missing"]


def test_one_that_is_damaged_each_time_is_given_up(stacks):
    stacks.keeper.fault = lambda _entry: "the image is missing"
    with pytest.raises(StackproofError, match="unusable after 3 attempts"):
        stacks.use("one")


def test_nothing_is_left_of_one_that_could_not_be_made(stacks):
    def fail(_publish):
        raise StackproofError("seed failed")

    with (
        pytest.raises(StackproofError, match="seed failed"),
        snapshots.held(stacks.resolved("one"), fail, stacks.told.append),
    ):
        pass
    assert stacks.names() == []
    assert stacks.use("one") == "after seed"


def test_nobody_can_remove_one_while_it_is_used(stacks):
    stacks.use("one")
    used = snapshots.held(stacks.resolved("one"), lambda _: None, stacks.told.append)
    with used as entry, locked_if_free(entry) as is_free:
        assert not is_free
    with locked_if_free(entry) as is_free:
        assert is_free


def test_several_can_use_one_at_the_same_time(stacks):
    stacks.use("one")
    with (
        snapshots.held(stacks.resolved("one"), lambda _: None, stacks.told.append) as first,
        snapshots.held(stacks.resolved("one"), lambda _: None, stacks.told.append) as second,
    ):
        assert first == second


def test_the_least_recently_used_goes_first(stacks, monkeypatch):
    monkeypatch.setattr(snapshots, "KEPT", 2)
    for number, word in enumerate(["one", "two"]):
        stacks.use(word)
        stacks.used_at(word, number)
    stacks.use("one")
    stacks.use("three")
    assert sorted(stacks.names()) == ["shop-one", "shop-three"]
    assert str(stacks.entry("two")) not in stacks.keeper.outside


def test_those_that_take_too_much_together_go_as_well_but_never_the_last(stacks, monkeypatch):
    monkeypatch.setattr(snapshots, "KEPT_BYTES", 100)
    stacks.keeper.size = 60
    stacks.use("one")
    stacks.used_at("one", 1)
    stacks.use("two")
    assert stacks.names() == ["shop-two"]
    stacks.keeper.size = 200
    stacks.used_at("two", 2)
    stacks.use("three")
    assert stacks.names() == ["shop-three"]


def test_one_in_use_is_not_dropped_for_room(stacks, monkeypatch):
    monkeypatch.setattr(snapshots, "KEPT", 1)
    stacks.use("one")
    stacks.used_at("one", 1)
    with locked(stacks.entry("one"), shared=True):
        stacks.use("two")
    assert sorted(stacks.names()) == ["shop-one", "shop-two"]


def test_one_that_is_made_after_the_clock_was_set_back_is_not_the_first_to_go(stacks, monkeypatch):
    monkeypatch.setattr(snapshots, "KEPT", 2)
    for word in ("one", "two"):
        stacks.use(word)
        stacks.used_at(word, time.time() + 3600)  # as it looks from an hour before
    stacks.use("three")
    stacks.use("two")
    stacks.use("four")
    assert stacks.made == ["one", "two", "three", "four"]
    assert stacks.names() == ["shop-four", "shop-two"]


@contextmanager
def mounted(entry):
    """What the reaper of a stack does whose data lie over those of a snapshot."""
    handle = os.open(entry, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    try:
        yield
    finally:
        os.close(handle)


def test_one_that_a_stack_has_its_data_from_is_neither_dropped_nor_cleared(stacks, monkeypatch):
    monkeypatch.setattr(snapshots, "KEPT", 1)
    stacks.use("one")
    stacks.used_at("one", 1)
    with mounted(stacks.entry("one")):
        stacks.use("two")
        removed, problems = snapshots.clear(stacks.cache, stacks.engine_of)
    assert (removed, stacks.names()) == (1, ["shop-one"])
    assert problems == ["shop-one: stacks that are up have their data from it"]
    assert snapshots.clear(stacks.cache, stacks.engine_of) == (1, [])


def test_one_that_is_damaged_under_a_stack_is_put_aside_until_that_is_down(stacks):
    stacks.use("one")
    with mounted(stacks.entry("one")):
        stacks.keeper.outside.clear()
        assert stacks.use("one") == "after seed"
        (aside,) = stacks.entry("one").parent.glob(".aside-*")
        assert (aside / "data").read_text() == "after seed"
        stacks.use("two")
        assert aside.exists()
        assert sorted(stacks.names()) == ["shop-one", "shop-two"]
    stacks.use("three")
    assert not aside.exists()


def test_the_list_tells_engine_and_size(stacks):
    stacks.keeper.size = 7
    stacks.use("one")
    (found,) = snapshots.listed(stacks.cache)
    assert (found.engine, found.size) == ("compose", 7)


def test_clearing_removes_all_and_what_lost_ones_have_left(stacks):
    stacks.use("one")
    stacks.keeper.outside[str(stacks.entry("lost"))] = "image"
    elsewhere = "/other/cache/snapshots/shop-theirs"
    stacks.keeper.outside[elsewhere] = "image"
    assert snapshots.clear(stacks.cache, stacks.engine_of) == (2, [])
    assert stacks.names() == []
    assert list(stacks.keeper.outside) == [elsewhere]


def test_one_whose_engine_does_not_answer_stays_and_that_is_told(stacks):
    stacks.use("one")
    stacks.keeper.is_away = True
    removed, problems = snapshots.clear(stacks.cache, stacks.engine_of)
    assert removed == 0
    assert "it does not answer" in problems[0]
    assert stacks.names() == ["shop-one"]


def test_what_decides_about_services_from_outside_the_stack_file_is_part_of_the_key(tmp_path):
    """Env files, also of an `include`, and secrets that are variables; not the copy's name."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/compose.yaml").write_text(
        "services: {x: {image: 'i:${TAG}', environment: [A, COPY], env_file: x.env}}\n"
    )
    (tmp_path / "compose.yaml").write_text(
        "include: [{path: sub/compose.yaml, env_file: vars.env}]\n"
    )

    def written(a="1", own="1", copy="shop-1", content="s"):
        (tmp_path / "vars.env").write_text(f"A={a}\nTAG=1\n")
        (tmp_path / "sub/x.env").write_text(f"OWN={own}\n")
        stack_file = load_stack_file([tmp_path / "compose.yaml"], {"COPY": copy})
        granted = [Mount("bind", "/run/secrets/s", content=content)]
        plan = SimpleNamespace(project=copy, services=[SimpleNamespace(name="x", granted=granted)])
        return _written(SimpleNamespace(plan=plan, stack_file=stack_file))

    assert written() == written(copy="shop-2")
    assert all(written() != other for other in (written(a="2"), written(own="2"),
                                                written(content="t")))  # fmt: skip
