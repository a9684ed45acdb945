"""Whoever waits hears every few seconds what is waited for."""

import threading

import pytest

from stackproof.waiting import StillWaiting, reminding


class Listener:
    """Keeps lines, and lets a test wait for so many of them."""

    def __init__(self):
        self.lines = []
        self.news = threading.Condition()

    def say(self, line):
        with self.news:
            self.lines.append(line)
            self.news.notify_all()

    def wait_for(self, count):
        with self.news:
            assert self.news.wait_for(lambda: len(self.lines) >= count, timeout=30)


@pytest.fixture
def listener():
    return Listener()


def test_a_silent_wait_says_again_and_again_what_goes_on(listener):
    with reminding(listener.say, "stopping shop", every=0.01):
        listener.wait_for(3)
    assert all(line.startswith("still stopping shop (0 s)") for line in listener.lines)
    assert all(isinstance(line, StillWaiting) for line in listener.lines)


def test_it_names_the_last_line_without_its_time(listener):
    with reminding(listener.say, "starting shop", every=0.01) as say:
        say("   0.3 s  db           healthy")
        listener.wait_for(len(listener.lines) + 2)
    assert listener.lines[-1] == "still starting shop (0 s), last: db healthy"


def test_it_says_what_goes_on_at_that_moment(listener):
    moments = iter(["db", "worker"])
    with reminding(listener.say, lambda: f"stopping {next(moments)}", every=0.01):
        listener.wait_for(2)
    assert [line.split()[2] for line in listener.lines[:2]] == ["db", "worker"]


def test_nothing_is_said_while_there_are_lines_and_after_the_end(listener):
    with reminding(listener.say, "starting shop", every=3600) as say:
        say("db is ready")
    assert listener.lines == ["db is ready"]
    assert not [thread for thread in threading.enumerate() if "reminder" in thread.name]


def test_an_inner_wait_speaks_for_the_outer_one(listener):
    with (
        reminding(listener.say, "starting shop", every=3600) as say,
        reminding(say, "preparing the dependencies of api", every=0.01),
    ):
        listener.wait_for(2)
    assert all("preparing" in line for line in listener.lines)


def test_an_error_comes_out_and_a_failing_description_is_no_error(listener):
    def fails():
        raise OSError

    with pytest.raises(KeyError), reminding(listener.say, fails, every=0.001):
        raise KeyError
