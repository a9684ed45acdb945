"""A fork that fails where a new process becomes ready is the last; its server hears of it."""

import pytest

from stackproof.engines.process import warm_start
from stackproof.engines.process.spec import Forked, ServiceSpec
from stackproof.engines.process.warm_start import WarmStart

FORKED = Forked("server:token", "", "app", (), ("python", "-m", "app"))


@pytest.fixture
def told(monkeypatch):
    """What the fork server was told."""
    found = []
    monkeypatch.setattr(warm_start, "tell_failure", lambda *words: found.append(words))
    return found


@pytest.fixture
def warm():
    return WarmStart(ServiceSpec("web", ("python", "-m", "app"), {}, "/app", forked=FORKED))


def test_a_service_without_a_server_is_none(told):
    cold = WarmStart(ServiceSpec("web", ("python",), {}, "/app", cold="`preload: off`"))
    assert (cold.begins(), cold.told) == (None, "cold: `preload: off`")
    assert not cold.has_failed(1, was_ready=False)
    assert WarmStart(ServiceSpec("web", ("python",), {}, "/app")).told == ""


def test_a_fork_that_runs_is_warm(warm, told):
    assert (warm.begins(), warm.told) == (FORKED, "warm")
    warm.is_ready()
    assert told == []


def test_one_that_ends_by_itself_before_it_is_ready_has_failed(warm):
    warm.begins()
    assert warm.has_failed(1, was_ready=False)
    assert not warm.has_failed(1, was_ready=True)
    assert not warm.has_failed(0, was_ready=False)
    assert not warm.has_failed(-9, was_ready=False)  # somebody has killed it


def test_one_that_is_not_ready_in_time_has_failed(warm):
    warm.begins()
    assert warm.gives_up()
    assert warm.has_failed(-9, was_ready=False)


def test_its_server_is_told_when_what_stands_for_it_is_ready(warm, told):
    warm.begins()
    warm.failed("a fork exited with status 1 before it was ready")
    assert (warm.begins(), told) == (None, [])
    assert warm.told == "cold: a fork exited with status 1 before it was ready"
    warm.is_ready(), warm.is_ready()
    assert told == [("server:token", "a fork exited with status 1 before it was ready")]
    assert not warm.gives_up()


def test_a_server_that_refuses_is_not_told_of_a_failure(warm, told):
    warm.begins()
    warm.refused("its environment is another one")
    warm.is_ready()
    assert (warm.begins(), warm.told, told) == (None, "cold: its environment is another one", [])
