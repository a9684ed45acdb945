"""What Docker says, in the words of every engine."""

import pytest

from stackproof.engines.compose.command_line import failure
from stackproof.engines.compose.containers import how_it_ended, split_stamp, status_of
from stackproof.engines.compose.notes import Notes
from stackproof.errors import CommandFailed, EngineUnavailable

STARTED = "2026-01-31T12:00:00.123456789Z"


def inspected(status="running", code=0, health=None, **state):
    found = {"Status": status, "ExitCode": code, "StartedAt": STARTED, "Pid": 7, **state}
    if health:
        found["Health"] = {"Status": health, "Log": [{"Output": "no answer\n"}]}
    check = {"Healthcheck": {"Test": ["CMD", "x"]}} if health else {}
    return {"State": found, "Config": check, "RestartCount": 2}


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path / "notes.json")


def status(notes, found, *, one_shot=False):
    one = status_of("web", found, notes, one_shot=one_shot)
    return one.state, one.health


def test_a_service_that_was_seen_ready_is_healthy_before_docker_has_looked(notes):
    assert status(notes, inspected(health="starting")) == ("running", "starting")
    notes.ready("web", STARTED, 1.5)
    assert status(notes, inspected(health="starting")) == ("running", "healthy")


def test_what_was_seen_of_an_earlier_start_does_not_count(notes):
    notes.ready("web", "2026-01-30T00:00:00Z", 1.5)
    assert status(notes, inspected(health="starting")) == ("running", "starting")


def test_dockers_unhealthy_wins_and_says_why(notes):
    notes.ready("web", STARTED, 1.5)
    found = status_of("web", inspected(health="unhealthy"), notes, one_shot=False)
    assert (found.health, found.detail) == ("unhealthy", "no answer")


def test_a_one_shot_that_ended_well_is_completed(notes):
    assert status(notes, inspected("exited"), one_shot=True) == ("completed", "")
    assert status(notes, inspected("exited", 1), one_shot=True) == ("exited", "")


def test_a_service_that_was_stopped_on_purpose_is_not_exited(notes):
    assert status(notes, inspected("exited", 143)) == ("exited", "")
    notes.stopped("web")
    assert status(notes, inspected("exited", 143)) == ("stopped", "")


def test_a_service_that_was_started_again_is_not_stopped_any_more(notes):
    notes.stopped("web")
    notes.ready("web", STARTED, 1.0)
    assert status(notes, inspected("exited", 1)) == ("exited", "")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"ExitCode": 3}, "exited with status 3"),
        ({"ExitCode": 137, "OOMKilled": True}, "was killed: out of memory (its limit is 64 MiB)"),
        ({"ExitCode": 143}, "was ended by SIGTERM"),
        ({"ExitCode": 127, "Error": "no such file"}, "could not be started: no such file"),
    ],
)
def test_the_end_of_a_container_in_words(state, words):
    found = {"State": state, "HostConfig": {"Memory": 64 << 20}}
    assert how_it_ended(found) == words


@pytest.mark.parametrize(
    ("line", "at", "text"),
    [
        ("2026-01-31T12:00:00.123456789Z hello", "2026-01-31T12:00:00.123456Z", "hello"),
        ("2026-01-31T12:00:00.1Z hello", "2026-01-31T12:00:00.100000Z", "hello"),
        ("2026-01-31T12:00:00Z ", "2026-01-31T12:00:00.000000Z", ""),
    ],
)
def test_times_of_log_lines_have_microseconds(line, at, text):
    assert split_stamp(line) == (at, text)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("could not find an available, non-overlapping IPv4 address pool", "no address range left"),
        ("write /x: no space left on device", "no disk space left"),
        ("Cannot connect to the Docker daemon at unix:///x", "does not answer"),
    ],
)
def test_what_the_machine_lacks_is_said(output, words):
    error = failure("create", 1, output)
    assert isinstance(error, EngineUnavailable)
    assert words in str(error)


def test_anything_else_is_told_in_composes_own_words():
    error = failure("create", 1, "invalid reference format")
    assert isinstance(error, CommandFailed)
    assert "invalid reference format" in str(error)
