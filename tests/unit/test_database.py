"""A database is touched only if its marker says that this very run has made it."""

import os
from pathlib import Path

import pytest

from stackproof.errors import CommandFailed, NoStack, Refused
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.reaper.leftovers import RunState
from stackproof.stack import Stack, database
from stackproof.stack.database import mark_databases, require_marker


def plan_with(shared=""):
    service = ServicePlan(
        "postgres",
        (),
        {"POSTGRES_DB": "shop_e2e"},
        endpoints=(Endpoint("postgres", 5432, "127.0.0.1", 15432, "postgresql"),),
        shared=shared,
    )
    return Plan("shop", "shop-e2e", "process", Path("/runs/shop-e2e"), services=(service,))


@pytest.fixture(autouse=True)
def known_runs(monkeypatch):
    runs = {"shop-e2e": "run-1", "servers": "run-2"}
    monkeypatch.setattr(
        database, "read_run", lambda path: RunState(path, path.name, runs.get(path.name, ""))
    )


class Answering:
    def __init__(self, code, out, *, err=b"", owns=True):
        self.code, self.out, self.err, self.owns = code, out, err, owns
        self.calls = []

    def execute(self, service, command, streams, **_options):
        self.calls.append((service, command.argv, os.pread(streams.stdin, 65536, 0).decode()))
        os.write(streams.stdout, self.out)
        os.write(streams.stderr, self.err)
        return self.code

    def owns_data(self, _service):
        return self.owns


def asked(out, code=0, **plan):
    require_marker(Stack(plan_with(**plan), Answering(code, out)), "seed")


def test_a_database_with_the_marker_of_this_run_and_server_may_be_touched():
    asked(b"run-1|77|77|t\n")


def test_a_database_that_is_down_is_not_taken_for_one_without_a_marker():
    down = Answering(2, b"", err=b"connection to server at 127.0.0.1 failed: refused\n")
    with pytest.raises(NoStack, match=r"database of postgres does not answer\n.*failed: refused"):
        require_marker(Stack(plan_with(), down), "seed")


def test_a_shared_server_has_the_marker_of_the_run_that_has_started_it():
    asked(b"run-2|77|77|t\n", shared="servers")
    with pytest.raises(Refused, match="not this run's"):
        asked(b"run-1|77|77|t\n", shared="servers")


@pytest.mark.parametrize(
    ("out", "why"),
    [
        (b"run-0|77|77|t\n", "it was made by the run run-0, and this run is run-1"),
        (b"|77|77|t\n", "copied from another stack"),
        (b"run-1|77|78|t\n", "made in the server 77 and stands in 78"),
        (b"run-1|77|77|f\n", "it was changed after stackproof wrote it"),
    ],
    ids=["another run", "no run", "another server", "changed"],
)
def test_a_copied_or_restored_marker_is_refused_with_what_it_says(out, why):
    with pytest.raises(Refused) as caught:
        asked(out)
    assert caught.value.what == (
        "seed is refused: the marker in the database of postgres is not this run's"
    )
    assert why in caught.value.observed
    assert "invoke up --fresh" in caught.value.remedy


def test_a_run_without_a_record_has_no_marker_that_is_its_own():
    with pytest.raises(Refused, match="not this run's"):
        asked(b"|77|77|t\n", shared="gone")


@pytest.mark.parametrize(
    ("code", "out"),
    [(0, b""), (1, b""), (0, b"stackproof\n"), (0, b"a|b|c|t\na|b|c|t\n")],
    ids=["empty table", "no table", "an older form", "two"],
)
def test_a_database_without_the_marker_is_refused_with_both_ways_out(code, out):
    with pytest.raises(Refused, match=r"seed is refused: .*no stackproof marker") as caught:
        asked(out, code)
    assert "invoke up --fresh" in caught.value.remedy


def test_marking_tells_the_server_the_run():
    running = Answering(0, b"")
    mark_databases(Stack(plan_with(), running))
    ((service, argv, statements),) = running.calls
    assert service == "postgres"
    assert "run=run-1" in argv
    assert "insert into stackproof.marker" in statements


@pytest.mark.parametrize(
    ("running", "shared"), [(Answering(0, b"", owns=False), ""), (Answering(0, b""), "servers")]
)
def test_data_that_are_not_this_runs_are_never_marked(running, shared):
    mark_databases(Stack(plan_with(shared), running))
    assert running.calls == []


def test_a_database_that_can_not_be_marked_is_an_error():
    with pytest.raises(CommandFailed, match="could not be marked"):
        mark_databases(Stack(plan_with(), Answering(1, b"")))
