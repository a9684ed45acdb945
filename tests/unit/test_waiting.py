import pytest

from stackproof.errors import WaitStalled, WaitTimeout, WrongEnd
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


def answering(*answers):
    """A condition with these answers; the last one goes on."""
    left = list(answers)

    def ask():
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def test_until_says_which_answer_is_the_right_one(time):
    ask = answering("queued", "running", "completed")
    found = wait_until(ask, until="completed".__eq__, timeout=9, what="it", clock=time.clock)
    assert found == "completed"


def test_a_wrong_end_ends_the_wait_at_once_and_shows_the_way_there(time):
    ask = answering("queued", "running", "failed")
    with pytest.raises(WrongEnd, match="the run completes: it ended in another way") as caught:
        wait_until(
            ask,
            until="completed".__eq__,
            failed=lambda state: state in {"failed", "cancelled"},
            timeout=60,
            what="the run completes",
            clock=time.clock,
        )
    assert [line.split()[-1] for line in caught.value.trace] == [
        "'queued'",
        "'running'",
        "'failed'",
    ]
    assert caught.value.waited < 1


def test_a_right_answer_is_never_a_wrong_end(time):
    assert wait_until(lambda: "x", failed=bool, timeout=1, what="it", clock=time.clock) == "x"


def test_a_wait_without_progress_ends_before_its_time(time):
    ask = answering(1, 2, 3)
    with pytest.raises(WaitStalled, match=r"ten are done: nothing has changed for 5\.") as caught:
        wait_until(
            ask, until=(10).__eq__, stall_after=5, timeout=60, what="ten are done", clock=time.clock
        )
    assert 5 <= caught.value.waited < 7


def test_only_what_counts_as_progress_keeps_a_wait_from_stalling(time):
    def ask():
        return {"done": 3, "now": time.now}

    with pytest.raises(WaitStalled):
        wait_until(
            ask,
            until=lambda one: one["done"] == 5,
            progress=lambda one: one["done"],
            stall_after=4,
            timeout=60,
            what="it",
            clock=time.clock,
        )


def test_slow_progress_is_no_stall(time):
    began = time.now

    def ask():
        return int((time.now - began) // 4)

    found = wait_until(
        ask, until=(10).__eq__, stall_after=5, timeout=60, what="it", clock=time.clock
    )
    assert found == 10


def test_named_exceptions_are_no_progress(time):
    with pytest.raises(WaitStalled) as caught:
        wait_until(
            answering(0, ConnectionError("refused")),
            stall_after=3,
            timeout=60,
            what="it",
            retry_on=(ConnectionError,),
            clock=time.clock,
        )
    assert caught.value.trace[-1].endswith("ConnectionError: refused")


def test_a_steady_answer_is_one_that_goes_on_for_so_long(time):
    began = time.now

    def idle():
        at = time.now - began
        return at > 0.3 and not 1 < at < 2  # a short rest is not the end

    wait_until(idle, steady_for=2, timeout=60, what="the worker is idle", clock=time.clock)
    assert 4 <= time.now - began < 5.5


def test_an_answer_that_ends_as_the_one_before_is_shown_too(time):
    with pytest.raises(WaitTimeout) as caught:
        wait_until(
            answering(10, 0), until=(1).__eq__, timeout=1, what="it", clock=time.clock
        )  # fmt: skip
    assert [line.split()[-1] for line in caught.value.trace] == ["10", "0"]


def test_a_long_trace_keeps_its_beginning_and_its_end(time):
    def ask():
        return time.now

    with pytest.raises(WaitTimeout) as caught:
        wait_until(ask, until=lambda _: False, timeout=60, what="it", clock=time.clock)
    trace = caught.value.trace
    assert len(trace) == 41
    assert trace[0].endswith("100.0")
    assert "further answers" in trace[10]
    assert trace[-1].endswith("160.0")


def test_a_long_answer_is_cut(time):
    with pytest.raises(WaitTimeout) as caught:
        wait_until(
            lambda: "x" * 5000, until=lambda _: False, timeout=1, what="it", clock=time.clock
        )  # fmt: skip
    assert len(caught.value.trace[0]) < 450
