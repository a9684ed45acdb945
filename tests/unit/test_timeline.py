import pytest

from stackproof.artifacts.timeline import Timeline


class Ticks:
    """Each look at the clock is one second later."""

    def __init__(self):
        self.seconds = -1.0

    def __call__(self):
        self.seconds += 1.0
        return self.seconds


def test_a_step_that_ends_well_is_passed_and_timed():
    timeline = Timeline(Ticks())
    with timeline.step("up"):
        pass
    (step,) = timeline.steps
    assert (step.name, step.outcome, step.started, step.seconds) == ("up", "passed", 1.0, 1.0)


def test_a_step_that_raises_is_failed_and_the_error_goes_on():
    timeline = Timeline(Ticks())
    with pytest.raises(ValueError, match="boom"), timeline.step("up"):
        raise ValueError("boom")
    assert timeline.steps[0].outcome == "failed"


def test_a_step_that_is_interrupted_says_so():
    timeline = Timeline(Ticks())
    with pytest.raises(KeyboardInterrupt), timeline.step("test"):
        raise KeyboardInterrupt
    assert timeline.steps[0].outcome == "interrupted"


def test_a_step_can_decide_its_outcome_itself():
    timeline = Timeline(Ticks())
    with timeline.step("test") as step:
        step.outcome = "failed"
    assert timeline.steps[0].outcome == "failed"


def test_the_table_has_a_line_a_step_and_the_total():
    timeline = Timeline(Ticks())
    for name in ("up", "migrate"):
        with timeline.step(name):
            pass
    assert timeline.table() == [
        "  up          1.00 s  passed",
        "  migrate     1.00 s  passed",
        "  total       2.00 s",
    ]
