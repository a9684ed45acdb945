"""Calls without a namespace belong to the test whose isolated stack they were made in."""

from types import SimpleNamespace

import pytest

from stackproof.engines.timestamps import Moment
from stackproof.pytest_plugin.llm import note_default_calls
from stackproof.pytest_plugin.model_calls import CallsOfTest, forget
from stackproof_gateway.journal_entries import JournalEntry

BEGAN = Moment(wall=1000.0, monotonic=0.0)


def call(monotonic, reply="default", namespace="default", time=0.0):
    return JournalEntry(seq=1, namespace=namespace, time=time, monotonic=monotonic, method="POST",
                        path="/v1/chat/completions", status=200, usage={"prompt_tokens": 2},
                        reply=reply)  # fmt: skip


class Client:
    def __init__(self, calls, namespace="default"):
        self.namespace = namespace
        self.requests = lambda since=0.0: [call for call in calls if call.monotonic > since]
        self.bill = lambda: {"spent": "The budget is spent.", "usd": "0.5"}


def next_test(stash, llm=None):
    config = SimpleNamespace(stash=stash, getoption=lambda _: llm)
    made = SimpleNamespace(
        nodeid="t.py::test", config=config, stash=pytest.Stash(), user_properties=[],
        session=SimpleNamespace(shouldstop=""),
    )  # fmt: skip
    forget(made)
    return made


@pytest.fixture
def stash():
    return pytest.Stash()


def stack(project, calls):
    plan = SimpleNamespace(project=project, gateway_service="llm")
    return SimpleNamespace(plan=plan, gateway=Client(calls))


def kept(item, of, own=None, began=None):
    return [
        (call.namespace, call.monotonic) for call in CallsOfTest(item, of, own, began).requests()
    ]


def test_each_test_of_a_stack_has_the_calls_since_the_one_before(stash):
    known, calls = [], [call(1, "plans.yaml, reply 1"), call(2)]
    note_default_calls(next_test(stash), stack("a", calls), known)
    calls.append(call(3, "plans.yaml, reply 2"))
    note_default_calls(next_test(stash), stack("a", calls), known)
    note_default_calls(next_test(stash), stack("b", [call(1)]), known)
    assert [(costs.requests, costs.replayed) for costs in known] == [(2, 1), (1, 1), (1, 0)]


def test_a_failing_test_keeps_its_calls_however_often_they_are_read(stash):
    calls = [call(1)]
    note_default_calls(next_test(stash), stack("a", calls), [])
    failing = next_test(stash)
    calls += [call(2), call(3)]
    assert kept(failing, stack("a", calls)) == [("default", 2), ("default", 3)]
    note_default_calls(failing, stack("a", calls), known := [])
    assert known[0].requests == 2
    assert kept(failing, stack("a", calls)) == [("default", 2), ("default", 3)]
    assert kept(next_test(stash), stack("a", calls)) == []


def test_a_reset_of_the_namespace_hides_no_later_call(stash):
    note_default_calls(next_test(stash), stack("a", [call(1), call(2), call(3)]), [])
    assert kept(next_test(stash), stack("a", [call(4)])) == [("default", 4)]


def test_calls_of_the_tests_own_namespace_and_those_without_are_kept_by_time(stash):
    own = Client([call(2, namespace="mine")], "mine")
    assert kept(next_test(stash), stack("a", [call(1), call(3)]), own) == [
        ("default", 1), ("mine", 2), ("default", 3),
    ]  # fmt: skip


def test_on_a_stack_that_others_use_the_calls_since_the_test_began_are_kept(stash):
    calls = [call(1, time=999.0), call(2, time=1001.0)]
    for _ in range(2):
        assert kept(next_test(stash), stack("a", calls), began=BEGAN) == [("default", 2)]


def test_the_calls_with_and_without_a_namespace_are_summed_up_in_the_report(stash):
    item = next_test(stash)
    item.user_properties += [("llm_requests", 3), ("other", "kept")]
    note_default_calls(item, stack("a", [call(1), call(2)]), [])
    assert dict(item.user_properties) == {
        "other": "kept", "llm_requests": 5, "llm_tokens": 4, "llm_usd": 0.0,
    }  # fmt: skip


def test_a_spent_budget_ends_the_session_of_a_product_with_one_key(stash):
    item = next_test(stash, llm="live")
    note_default_calls(item, stack("a", [call(1)]), [])
    assert item.session.shouldstop == "The budget is spent. Spent so far: $0.5"


def test_a_gateway_that_does_not_answer_is_no_error_of_the_test(stash):
    def gone(since=0.0):
        raise ConnectionError("it is gone")

    known, broken, own = [], stack("a", []), Client([call(1, namespace="mine")])
    broken.gateway.requests = gone
    note_default_calls(next_test(stash), broken, known)
    assert known == []
    assert kept(next_test(stash), broken, own) == [("mine", 1)]
    own.requests = gone
    assert kept(next_test(stash), broken, own) == []
