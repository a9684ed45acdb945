"""What the fixture `oracle` does to a test that did not look itself."""

import pytest

pytest_plugins = ["pytester"]

BEGINNING = """
import pytest
from stackproof.oracle import StateMachine

JOB = StateMachine("job", ["on"], {"on": ["off"]}, ["off"], linger=0.0)
"""


@pytest.fixture
def run(pytester):
    def run(text):
        pytester.makepyfile(BEGINNING + text)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider")

    return run


def test_a_test_that_did_not_look_fails_if_what_it_saw_is_illegal(run):
    result = run("""
def test_it(oracle):
    job = oracle.watch(JOB, "7").polled()
    job.saw("off")
    job.saw("on")
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["job 7 went through states that are not allowed", "*off did not stay: on in poll"]
    )


def test_the_end_is_watched_while_the_fixtures_of_the_test_still_live(run):
    result = run("""
@pytest.fixture
def client():
    opened = ["on", "off"]
    yield opened
    opened.clear()

def test_it(oracle, client):
    watch = oracle.watch(JOB, "7", look=lambda: watch.polled().saw(client[-1]))
    watch.polled().saw("off")
""")
    result.assert_outcomes(passed=1)


def test_a_test_that_fails_by_itself_shows_what_was_seen(run):
    result = run("""
def test_it(oracle):
    oracle.watch(JOB, "7").polled("api").saw("on", done=3)
    assert not "this"
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*stackproof oracle*", "job 7:", "*api  on  done=3"])


def test_what_a_failed_test_has_watched_is_not_waited_for(run):
    result = run("""
def test_it(oracle):
    watch = oracle.watch(JOB, "7", look=lambda: print("looked again"))
    watch.polled().saw("off")
    assert not "this"
""")
    result.stdout.no_fnmatch_line("looked again")


def test_a_legal_history_lets_a_test_pass(run):
    run("""
def test_it(oracle):
    for state in ("on", "off"):
        oracle.watch(JOB, "7").recorded("audit").saw(state)
""").assert_outcomes(passed=1)
