"""A container is paused even if its control group is busy at first; other refusals are told."""

import pytest
from docker.errors import APIError

from stackproof.engines.compose.freezing import TRY_SECONDS, freeze, thaw
from stackproof.errors import StackproofError
from stackproof.waiting import Clock

BUSY = APIError("500", explanation="Cannot pause container 1a: unable to freeze: unknown")
PAUSED = APIError("409", explanation="Container 1a is already paused")


class Engine:
    """Answers each call with the next answer, the last one for ever."""

    def __init__(self, *answers):
        self.answers, self.calls, self.time = list(answers), 0, 0.0

    def pause(self, container):
        assert container == "1a"
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            raise answer

    unpause = pause

    def sleep(self, seconds):
        self.time += seconds

    @property
    def clock(self):
        return Clock(now=lambda: self.time, sleep=self.sleep)


def test_a_busy_control_group_is_asked_again():
    engine = Engine(BUSY, BUSY, None)
    freeze(engine, "1a", "worker", clock=engine.clock)
    assert engine.calls == 3


def test_one_that_stays_busy_is_told():
    engine = Engine(BUSY)
    with pytest.raises(StackproofError, match="worker could not be paused") as caught:
        freeze(engine, "1a", "worker", clock=engine.clock)
    assert "unable to freeze" in str(caught.value)
    assert engine.time >= TRY_SECONDS


def test_another_refusal_is_told_at_once():
    engine = Engine(PAUSED)
    with pytest.raises(StackproofError, match="already paused"):
        freeze(engine, "1a", "worker", clock=engine.clock)
    assert engine.calls == 1


def test_one_that_can_not_go_on_is_told():
    with pytest.raises(StackproofError, match="worker could not be unpaused"):
        thaw(Engine(PAUSED), "1a", "worker")
