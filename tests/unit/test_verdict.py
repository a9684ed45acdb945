"""What a failing test says of each service: its first error, its ends, when they were."""

from dataclasses import replace
from types import SimpleNamespace

from stackproof.artifacts.verdict import folded, verdict
from stackproof.engines.base import LogLine, ServiceStatus
from stackproof.engines.events import ServiceEvent
from stackproof.engines.timestamps import timestamp

BEGAN = 1_800_000_000.0
PLAN = SimpleNamespace(services=[], gateway_service="llm")


def at(seconds):
    return timestamp(BEGAN + seconds)


def told(*, lines=(), events=(), states=(), calls=()):
    return verdict(PLAN, lines, events, states, calls, began=BEGAN)


def call(seconds, status, reply="", fault=None, model="m"):
    return SimpleNamespace(time=BEGAN + seconds, method="POST", path="/v1/x", model=model,
                           status=status, reply=reply, fault=fault)  # fmt: skip


def test_it_says_what_each_service_did_wrong_first_earliest_first():
    lines = [
        LogLine(at(0.3), "web", "err", "ERROR: no pear"),
        LogLine(at(0.4), "web", "err", "ERROR: a later one"),
        LogLine(at(0.5), "db", "out", "all is well"),
    ]
    events = [ServiceEvent(at(0.1), "worker", "ended", "was ended by SIGKILL")]
    assert told(lines=lines, events=events, states=[ServiceStatus("worker", "exited")]) == [
        "worker: was ended by SIGKILL at +0.1 s, not restarted",
        "web: no pear at +0.3 s",
    ]


def test_it_says_that_a_service_was_restarted_and_what_its_probe_was_answered():
    events = [
        ServiceEvent(at(1), "worker", "ended", "exited with status 3"),
        ServiceEvent(at(2), "worker", "started"),
        ServiceEvent(at(3), "db", "unhealthy", "connection refused"),
    ]
    assert told(events=events, states=[ServiceStatus("worker", "running")]) == [
        "worker: exited with status 3 at +1.0 s, restarted",
        "db: unhealthy: connection refused at +3.0 s",
    ]


def test_what_the_fixtures_did_is_before_the_test():
    assert told(events=[ServiceEvent(at(-2), "db", "paused")]) == ["db: paused at -2.0 s"]


def test_a_start_alone_explains_nothing():
    assert told(events=[ServiceEvent(at(1), "db", "started")]) == []


def test_equal_lines_are_folded_into_one_that_counts_them():
    line = LogLine(at(0), "web", "out", "tick")
    other = replace(line, at=at(4), text="tock")
    lines = [
        line,
        replace(line, at=at(1)),
        replace(line, at=at(2)),
        other,
        replace(other, at=at(5)),
    ]
    assert [(line.at, line.text) for line in folded(lines)] == [
        (at(0), "tick"),
        (at(2), "… (2 times more, this one the last)"),
        (at(4), "tock"),
        (at(5), "… (once more, this one the last)"),
    ]


def test_model_calls_that_failed_are_told_with_the_reason_among_the_errors_of_services():
    calls = [
        call(0.1, 200, "fine"),
        call(0.2, 400, "Invalid\n'messages'"),
        call(0.4, 500, "sorry", SimpleNamespace(kind="fail-once")),
        call(0.5, 404, model=""),
    ]
    lines = [LogLine(at(0.3), "web", "err", "ERROR: no pear")]
    assert told(lines=lines, calls=calls) == [
        "llm: answered 400 to POST /v1/x m: Invalid 'messages' at +0.2 s",
        "web: no pear at +0.3 s",
        "llm: answered 500 to POST /v1/x m: on purpose (fail-once) at +0.4 s",
        "llm: answered 404 to POST /v1/x at +0.5 s",
    ]


def test_of_many_failed_model_calls_the_first_ones_are_told():
    assert len(told(calls=[call(0, 500, "x" * 9000)] * 100)) == 6
    assert max(map(len, told(calls=[call(0, 500, "word " * 9000)]))) < 400
