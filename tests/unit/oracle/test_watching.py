"""How the end of a thing is watched, and how what was seen is drawn."""

from datetime import UTC, datetime

import pytest

from stackproof.errors import ConfigError, IllegalHistory
from stackproof.oracle import Oracle, StateMachine
from stackproof.waiting import Clock

JOB = StateMachine("job", ["on"], {"on": ["off", "lost"]}, ["off", "lost"], linger=5.0)


class Job:
    """A job whose state is a function of the time, on a clock that goes on while one sleeps."""

    def __init__(self, state):
        self.now = 100.0
        self.looks = 0
        self.state = state
        self.oracle = Oracle(Clock(lambda: self.now, self.sleep))
        self.watch = self.oracle.watch(JOB, "7", look=self.look)

    def sleep(self, seconds):
        self.now += seconds

    def look(self):
        self.looks += 1
        self.watch.polled().saw(self.state(self.now - 100.0))


def test_a_terminal_state_is_watched_for_its_linger_period():
    job = Job(lambda _: "off")
    job.look()
    job.oracle.settle()
    assert 105 <= job.now < 106


def test_a_terminal_state_that_goes_in_its_linger_period_is_found_at_once():
    job = Job(lambda at: "on" if at > 2 else "off")
    job.look()
    with pytest.raises(IllegalHistory, match="off did not stay: on in poll"):
        job.oracle.settle()
    assert job.now < 103


def test_what_has_stayed_long_enough_is_looked_at_once_more():
    job = Job(lambda _: "off")
    job.look()
    job.now += 50
    job.oracle.settle()
    assert (job.looks, job.now) == (2, 150)


def test_what_has_not_ended_is_not_waited_for():
    job = Job(lambda _: "on")
    job.look()
    job.oracle.settle()
    assert job.looks == 1


def test_linger_periods_of_several_things_overlap():
    job = Job(lambda _: "off")
    other = job.oracle.watch(JOB, "8", look=lambda: other.polled().saw("off"))
    job.look()
    other.look()
    job.oracle.settle()
    assert job.now < 106


def test_an_illegal_history_is_not_watched_any_longer():
    job = Job(lambda _: "off")
    job.look()
    job.watch.polled().saw("on")
    with pytest.raises(IllegalHistory):
        job.oracle.settle()
    assert job.looks == 1


def test_something_that_can_not_be_asked_any_more_is_an_error_with_its_history():
    def gone(at):
        if at > 1:
            raise ConnectionError("refused")
        return "off"

    job = Job(gone)
    job.look()
    with pytest.raises(IllegalHistory, match="watching it failed: ConnectionError: refused"):
        job.oracle.settle()


def test_a_look_that_notes_nothing_is_an_error():
    oracle = Oracle()
    watch = oracle.watch(JOB, "7", look=lambda: "off")
    watch.polled().saw("off")
    with pytest.raises(ConfigError, match="`look` of job 7 recorded no observation"):
        oracle.settle()


def test_without_a_look_only_what_was_seen_is_checked():
    oracle = Oracle()
    oracle.watch(JOB, "7").polled().saw("off")
    oracle.settle()


def test_the_same_thing_again_is_the_same_watch():
    oracle = Oracle()
    assert oracle.watch(JOB, "7") is oracle.watch(JOB, "7")
    assert oracle.watch(JOB, "7") is not oracle.watch(JOB, "8")


def test_times_with_zones_are_put_on_the_same_line_as_others():
    job = Job(lambda _: "on")
    job.watch.wall = lambda: 1_000_000.0
    moment = datetime.fromtimestamp(999_998, UTC)
    job.watch.recorded("audit").saw("on", at=moment)
    assert job.watch.observations[0].at == 98.0


def test_a_long_timeline_keeps_its_beginning_and_its_end():
    job = Job(lambda _: "on")
    for number in range(500):
        job.watch.polled().saw("on", step=number)
    drawing = job.oracle.drawing()
    assert len(drawing) == 202
    assert "step=0" in drawing[1]
    assert "300 further lines" in drawing[101]
    assert "step=499" in drawing[-1]


def test_sources_stand_below_each_other_by_time():
    job = Job(lambda _: "on")
    job.watch.polled("api").saw("on")
    job.now += 0.5
    job.watch.recorded("audit table", whole=False).saw("off", order=3, by="me")
    job.watch.notified("hook").saw(None, done=1)
    assert job.oracle.drawing() == [
        "job 7:",
        "     0.00 s  api          on",
        "     0.50 s  audit table  #3 off  by='me'",
        "     0.50 s  hook         ·  done=1",
    ]
