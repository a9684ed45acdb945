import pytest

from stackproof.errors import WaitTimeout
from stackproof.waiting import Clock, Deadline, wait_until


class FakeTime:
    def __init__(self):
        self.now = 100.0
        self.pauses = []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    @property
    def clock(self):
        return Clock(lambda: self.now, self.sleep)


@pytest.fixture
def time():
    return FakeTime()


def test_the_first_true_value_is_returned_without_a_pause(time):
    assert wait_until(lambda: "ready", timeout=1, what="it", clock=time.clock) == "ready"
    assert time.pauses == []


def test_pauses_start_at_20_ms_and_grow_to_half_a_second(time):
    answers = iter([0] * 30 + [1])
    wait_until(lambda: next(answers), timeout=60, what="it", clock=time.clock)
    assert time.pauses[0] == pytest.approx(0.02)
    assert time.pauses == sorted(time.pauses)
    assert max(time.pauses) == 0.5


def test_a_time_out_says_what_was_waited_for_and_each_answer_seen(time):
    answers = iter(["", "", 0, 0, None])
    with pytest.raises(WaitTimeout) as caught:
        wait_until(lambda: next(answers, None), timeout=2, what="the run ends", clock=time.clock)
    text = str(caught.value)
    assert "the run ends: not within 2.0 s" in text
    assert [line.split()[-1] for line in caught.value.trace] == ["''", "0", "None"]


def test_the_condition_is_asked_once_more_after_the_time_is_up(time):
    def slow_success():
        return time.now >= 101.0

    assert wait_until(slow_success, timeout=1.0, what="it", clock=time.clock)


def test_named_exceptions_count_as_not_yet(time):
    answers = iter([ConnectionError("refused"), True])

    def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert wait_until(ask, timeout=1, what="it", retry_on=(ConnectionError,), clock=time.clock)


def test_any_other_exception_ends_the_wait_at_once(time):
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wait_until(broken, timeout=5, what="it", retry_on=(ConnectionError,), clock=time.clock)
    assert time.pauses == []


def test_a_deadline_counts_down_and_never_below_zero(time):
    deadline = Deadline(2.0, time.clock)
    time.now += 1.5
    assert (deadline.waited, deadline.left, deadline.passed) == (1.5, 0.5, False)
    time.now += 1.5
    assert (deadline.left, deadline.passed) == (0.0, True)
