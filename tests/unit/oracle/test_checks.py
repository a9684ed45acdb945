"""What the oracle concludes from what sources tell, and what it does not."""

import pytest

from stackproof.errors import ConfigError, IllegalHistory
from stackproof.oracle import Oracle, StateMachine
from stackproof.waiting import Clock

RUN = StateMachine(
    name="run",
    initial=["queued"],
    transitions={"queued": ["running"], "running": ["completed", "failed"]},
    terminal=["completed", "failed"],
    monotonic=["done"],
    final=["attempts"],
)


class Watched:
    """A run that is watched on a clock which goes on by a second with each observation."""

    def __init__(self):
        self.now = 0.0
        self.watch = Oracle(Clock(lambda: self.now, None)).watch(RUN, "7")

    def sees(self, source, *states, **more):
        for state in states:
            self.now += 1
            source.saw(state, **more)

    def polls(self, *states, source="api", **more):
        self.sees(self.watch.polled(source), *states, **more)

    def records(self, *states, source="audit", whole=True):
        for order, state in enumerate(states, start=1):
            self.sees(self.watch.recorded(source, whole=whole), state, order=order)

    @property
    def problems(self):
        return [one.text for one in self.watch.problems()]


@pytest.fixture
def run():
    return Watched()


def test_a_legal_history_has_no_problem(run):
    run.polls("queued", "running", "running", "completed", "completed")
    run.records("queued", "running", "completed")
    assert run.problems == []


def test_a_poll_may_miss_states_in_between(run):
    run.polls("queued", "completed")
    assert run.problems == []


def test_a_record_may_not_miss_states(run):
    run.records("queued", "completed")
    assert run.problems == [
        "queued → completed in audit is not allowed; allowed after queued: running"
    ]


def test_a_record_that_tells_a_state_twice_shows_that_it_was_done_twice(run):
    run.records("queued", "running", "running", "completed")
    [problem] = run.problems
    assert problem.startswith("running → running in audit is not allowed; allowed after ")


def test_a_poll_that_sees_a_state_again_after_a_later_one_is_illegal(run):
    run.polls("running", "queued")
    assert run.problems == [
        "running → queued in api is not allowed; allowed after running: completed or failed"
    ]


def test_an_unknown_state_is_named(run):
    run.polls("queued", "exploded")
    assert run.problems == ["exploded is no state of a run"]


def test_a_terminal_state_that_does_not_stay_is_named(run):
    run.polls("completed", "running")
    assert run.problems == ["completed did not stay: running in api"]


def test_a_terminal_state_that_becomes_the_other_one_is_named(run):
    run.polls("failed", "completed")
    assert run.problems == ["failed did not stay: completed in api"]


def test_a_record_begins_with_an_initial_state(run):
    run.records("running", "completed")
    assert run.problems == ["audit starts as running; a run starts as queued"]


def test_a_stream_that_is_joined_late_may_begin_anywhere_but_misses_nothing_from_there(run):
    run.records("running", "completed", whole=False)
    assert run.problems == []
    run.records("queued", "completed", source="other", whole=False)
    assert len(run.problems) == 1


def test_a_monotonic_field_that_goes_back_is_named_with_both_values(run):
    run.polls("running", done=3)
    run.polls("running", done=2)
    assert run.problems == ["done went back: 3 → 2 in api"]


def test_a_monotonic_field_that_loses_its_value_goes_back(run):
    run.polls("running", done=None)
    run.polls("running", done=1)
    assert run.problems == []
    run.polls("running", done=None)
    assert run.problems == ["done went back: 1 → None in api"]


def test_a_pair_lets_a_field_begin_anew_with_each_attempt(run):
    run.polls("running", done=(1, 3))
    run.polls("running", done=(2, 0))
    assert run.problems == []


def test_a_final_field_may_change_until_the_end_and_not_after_it(run):
    run.polls("running", attempts=1)
    run.polls("completed", attempts=2)
    assert run.problems == []
    run.polls("completed", attempts=3)
    assert run.problems == ["attempts changed after the end: 2 → 3 in api"]


def test_fields_without_a_state_are_checked_as_well(run):
    stream = run.watch.recorded("stream")
    run.sees(stream, "queued", order=1)
    run.sees(stream, "running", order=2)
    run.sees(stream, None, order=3, done=2)
    run.sees(stream, None, order=4, done=1)
    assert run.problems == ["done went back: 2 → 1 in stream"]


def test_a_record_may_arrive_out_of_order_and_be_read_again(run):
    audit = run.watch.recorded("audit")
    for order, state in [(2, "running"), (1, "queued"), (2, "running"), (3, "completed")]:
        run.sees(audit, state, order=order)
    assert run.problems == []


def test_a_record_that_tells_two_things_of_one_number_is_wrong(run):
    audit = run.watch.recorded("audit")
    for order, state in [(1, "queued"), (2, "running"), (2, "completed")]:
        run.sees(audit, state, order=order)
    assert run.problems == ["audit reports #2 as running and as completed"]


def test_a_late_record_does_not_contradict_polls_that_are_ahead_of_it(run):
    run.polls("queued", "completed")
    run.records("queued", "running")
    assert run.problems == []


def test_a_poll_that_sees_what_the_whole_record_does_not_have_is_wrong(run):
    run.polls("failed")
    run.records("queued", "running", "completed")
    assert "audit saw completed, and api saw failed" in run.problems
    assert (
        "api saw failed, which does not fit the history of audit: queued → running → completed"
        in run.problems
    )


def test_polls_must_fit_into_the_whole_record_in_their_order():
    job = StateMachine("job", ["on"], {"on": ["off", "end"], "off": ["on"]}, ["end"])
    watch = Oracle().watch(job, "1")
    for order, state in enumerate(["on", "off", "on", "end"]):
        watch.recorded("audit").saw(state, order=order)
    for state in ["on", "off", "off", "on"]:
        watch.polled("api").saw(state)
    assert watch.problems() == []
    watch.polled("api").saw("off")  # it was off only once
    assert [one.text for one in watch.problems()] == [
        "api saw off, which does not fit the history of audit: on → off → on → end"
    ]


def test_two_whole_records_must_tell_the_same(run):
    cyclic = StateMachine(
        "job", ["on"], {"on": ["off", "end"], "off": ["on"]}, ["end"]
    )  # fmt: skip
    watch = Oracle().watch(cyclic, "1")
    for order, state in enumerate(["on", "off", "on", "end"]):
        watch.recorded("audit").saw(state, order=order)
    for order, state in enumerate(["on", "end"]):
        watch.recorded("stream").saw(state, order=order)
    assert [one.text for one in watch.problems()] == [
        "audit saw off, which does not fit the history of stream: on → end"
    ]


def test_a_notice_may_come_late_and_twice(run):
    run.polls("completed")
    run.sees(run.watch.notified("webhook"), "completed", "running", "completed", "queued")
    assert run.problems == []


def test_a_notice_of_another_end_is_wrong_however_late(run):
    run.polls("completed")
    run.sees(run.watch.notified("webhook"), "failed")
    assert run.problems == ["webhook saw failed, and api saw completed"]


def test_numbered_notices_are_put_in_order_and_may_miss_some(run):
    hook = run.watch.notified("webhook")
    run.sees(hook, "completed", order=3)
    run.sees(hook, "queued", order=1)
    assert run.problems == []
    run.sees(hook, "queued", order=4)
    assert run.problems == ["completed did not stay: queued in webhook"]


def test_polls_of_two_sources_that_overlap_are_not_compared(run):
    run.polls("completed", source="one")
    run.polls("running", source="two")  # may have been asked before
    assert run.problems == []


def test_a_poll_that_was_asked_after_another_had_its_answer_must_not_be_behind_it(run):
    run.polls("running", source="two")
    run.polls("completed", source="one")
    run.polls("running", source="two")  # asked after 1 s: perhaps before the other's answer
    assert run.problems == []
    run.polls("running", source="two")
    assert run.problems == ["completed did not stay: running in two"]


def test_one_name_can_not_be_two_kinds_of_source(run):
    run.watch.polled("api")
    with pytest.raises(ConfigError, match="api of run 7 can't be a poll and a record"):
        run.watch.recorded("api")


def test_a_check_raises_each_problem_and_the_timeline(run):
    run.polls("running", "running", done=3)
    run.polls("queued", done=3)
    [problem] = run.problems
    with pytest.raises(IllegalHistory) as caught:
        run.watch.check()
    assert str(caught.value).splitlines() == [
        "run 7 went through states that are not allowed",
        f"  {problem}",
        "  run 7:",
        "       1.00 s  api  running  done=3  (2 times, until 2.00 s)",
        "  !    3.00 s  api  queued  done=3",
        f"                    ^ {problem}",
    ]
