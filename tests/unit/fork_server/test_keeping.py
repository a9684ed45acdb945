"""Which starts of a program are forked, and which begin anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from stackproof.engines.process.fork_server import keeping
from stackproof.engines.process.fork_server.entry import Entry
from stackproof.engines.process.fork_server.keeping import NOT_YET, ForkServers, Wanted
from stackproof.engines.process.fork_server.known import (
    Approved,
    Known,
    keep,
    kept,
    key_of,
    known_of,
    learn,
    learned,
)
from stackproof.engines.process.spec import ServiceSpec

ENTRY = Entry(Path("/venv/bin/python"), module="shop.worker")
WANTED = Wanted("shop /srv/shop", secrets=frozenset({"s3cret"}))
KEY = key_of(ENTRY, {"LANG": "C.UTF-8"})


class FakeKept:
    """A fork server that is ready at once."""

    def __init__(self, python, environment, modules=()):
        self.environment, self.imported, self.is_closed = environment, list(modules), False
        self.has_ended, self.was_ready, self.failures = False, True, []
        self.noted = [] if modules else ["json", "celery"]
        self.address, self.faults = f"server:{','.join(modules) or 'notes'}", ()

    def is_ready(self, seconds=0.0):
        return not self.has_ended

    def modules(self):
        return self.noted

    def close(self):
        self.is_closed = True


def approve(python, env, names, varying):
    return Approved((*names,), examined=(*names,))


@pytest.fixture
def made(monkeypatch):
    """All fork servers that were started."""
    found = []

    def make(*arguments):
        found.append(FakeKept(*arguments))
        return found[-1]

    monkeypatch.setattr(keeping, "Kept", make)
    monkeypatch.setattr(keeping, "approve", approve)
    monkeypatch.setattr(
        keeping, "compare", lambda python, env, found: replace(found, compared=True)
    )
    return found


def start(servers, **environment):
    given = {"LANG": "C.UTF-8", "PASSWORD": "x-s3cret-x", **environment}
    answer, _ = servers.server_for("worker", ENTRY, given, WANTED)
    for program in servers._programs.values():
        if program.preparing is not None:
            program.preparing.join(60)
    return answer


def test_the_first_start_notes_the_second_prepares_and_later_ones_are_forked(made, tmp_path):
    servers = ForkServers(tmp_path)
    assert [start(servers) for _ in range(4)] == [
        "server:notes", "", "server:json,celery", "server:json,celery",
    ]  # fmt: skip
    assert [one.imported for one in made] == [[], ["json", "celery"]]


def test_what_another_process_has_found_out_needs_no_notes(made, tmp_path):
    keep(tmp_path, KEY, Approved(("json",)))
    servers = ForkServers(tmp_path)
    assert [start(servers) for _ in range(3)] == ["", "", "server:json"]


def test_no_server_gets_to_know_a_secret_or_what_differs_from_copy_to_copy(made, tmp_path):
    servers = ForkServers(tmp_path)
    for number in range(3):
        start(servers, PORT=str(number))
    assert made[1].environment == {"LANG": "C.UTF-8"}


def test_coverage_is_no_part_of_what_is_known_and_no_server_gets_to_know_of_it(made, tmp_path):
    keep(tmp_path, KEY, Approved(("json",)))
    servers = ForkServers(tmp_path)
    for number in range(3):
        site = f"/artifacts/{number}/coverage-site"
        answer = start(servers, COVERAGE_PROCESS_START=f"{site}/coveragerc", PYTHONPATH=site)
    assert answer == "server:json"
    assert made[0].environment == {"LANG": "C.UTF-8"}


def test_a_program_that_may_not_be_forked_begins_anew_each_time(made, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "approve", lambda *_: Approved(cold="imports start 1 thread(s)"))
    servers = ForkServers(tmp_path)
    assert [start(servers) for _ in range(3)] == ["server:notes", "", ""]
    again = ForkServers(tmp_path)
    assert [start(again) for _ in range(3)] == ["", "", ""]


def test_what_could_not_be_tried_is_tried_again_by_the_next_process(made, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "approve", lambda *_: Approved())
    servers = ForkServers(tmp_path)
    assert [start(servers) for _ in range(3)] == ["server:notes", "", ""]
    assert start(ForkServers(tmp_path)) == "server:notes"


def test_faults_of_a_server_itself_end_the_forking(made, tmp_path):
    servers = ForkServers(tmp_path)
    start(servers), start(servers)
    made[1].faults = ("imports start 1 thread(s)",)
    assert [start(servers), start(servers)] == ["", ""]


def test_one_that_has_ended_after_a_while_without_a_start_is_made_again(made, tmp_path):
    servers = ForkServers(tmp_path)
    start(servers), start(servers)
    made[1].has_ended = True
    assert [start(servers), start(servers)] == ["", "server:json,celery"]


def test_what_only_notes_ends_when_its_notes_are_read(made, tmp_path):
    servers = ForkServers(tmp_path)
    start(servers), start(servers)
    assert [one.is_closed for one in made] == [True, False]


def test_all_servers_end_together_and_no_new_one_begins(made, tmp_path):
    servers = ForkServers(tmp_path)
    start(servers), start(servers)
    servers.close()
    assert [one.is_closed for one in made] == [True, True]
    assert start(servers) == ""


def spec(**fields):
    return ServiceSpec("worker", ("/venv/bin/python", "-m", "shop"), {}, "/app", **fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"one_shot": True}, "it is a one-shot"),
        ({"memory": 64 << 20}, "its limit of memory is below 256 MB"),
    ],
)
def test_a_one_shot_and_a_service_with_little_memory_begin_anew(made, tmp_path, fields, reason):
    servers = ForkServers(tmp_path)
    told = servers.forked(spec(**fields), Path("/venv"), WANTED)
    assert (told.forked, told.cold) == (None, reason)
    assert known_of(tmp_path, WANTED.stack, "worker") == Known(cold=reason)


def test_another_service_is_told_who_begins_it(made, tmp_path):
    forked = ForkServers(tmp_path).forked(spec(memory=1 << 30), Path("/venv"), WANTED).forked
    assert (forked.server, forked.module, forked.arguments) == ("server:notes", "shop", ())
    assert ServiceSpec.from_json(spec().to_json()).forked is None


def test_how_a_service_is_begun_is_read_back_as_it_was_sent(made, tmp_path):
    told = ForkServers(tmp_path).forked(spec(), Path("/venv"), WANTED)
    assert ServiceSpec.from_json(told.to_json()) == told


def test_what_is_no_python_program_begins_anew_and_it_is_said_why(made, tmp_path):
    shell = replace(spec(), argv=("/bin/sh",))
    told = ForkServers(tmp_path).forked(shell, Path("/venv"), WANTED)
    assert (told.forked, told.cold) == (None, "sh is no Python program of its virtualenv")


def test_a_service_that_is_not_to_be_forked_begins_anew(made, tmp_path):
    told = ForkServers(tmp_path).forked(spec(), Path("/venv"), replace(WANTED, preload="off"))
    assert (told.forked, told.cold, made) == (None, "`preload: off`", [])


def test_modules_that_the_stack_file_names_need_no_notes(made, tmp_path):
    servers = ForkServers(tmp_path)
    wanted = replace(WANTED, preload=("numpy",))
    answers = [servers.server_for("worker", ENTRY, {}, wanted)]
    answers.append(servers.server_for("worker", ENTRY, {}, wanted))
    next(iter(servers._programs.values())).preparing.join(60)
    answers.append(servers.server_for("worker", ENTRY, {}, wanted))
    assert answers == [("", NOT_YET), ("", NOT_YET), ("server:numpy", "")]


def test_what_is_imported_while_it_is_found_out_is_part_of_it(made, tmp_path, monkeypatch):
    def approve_and_go_on(python, env, names, varying):
        made[0].noted = ["json", "celery", "late"]
        return approve(python, env, names, varying)

    monkeypatch.setattr(keeping, "approve", approve_and_go_on)
    servers = ForkServers(tmp_path)
    assert [start(servers) for _ in range(3)][2] == "server:json,celery,late"


def test_what_a_copy_imports_late_is_imported_ahead_in_the_next_session(made, tmp_path):
    servers = ForkServers(tmp_path)
    start(servers), start(servers)
    made[1].noted = ["late"]
    servers.close()
    assert learned(tmp_path, KEY) == ["json", "celery", "late"]
    again = ForkServers(tmp_path)
    assert [start(again) for _ in range(3)][2] == "server:json,celery,late"


def test_two_processes_learn_together(tmp_path):
    learn(tmp_path, "key", ["a", "b"])
    learn(tmp_path, "key", ["c", "a"])
    assert learned(tmp_path, "key") == ["a", "b", "c"]


def test_what_two_processes_need_at_once_is_found_out_by_one(made, tmp_path, monkeypatch):
    one, other, found = ForkServers(tmp_path), ForkServers(tmp_path), []

    def while_the_other_wants_it(python, env, names, varying):
        found.append(names)
        if len(found) == 1:
            given = {"LANG": "C.UTF-8"}
            assert [other.server_for("worker", ENTRY, given, WANTED)[0] for _ in range(2)]
            next(iter(other._programs.values())).preparing.join(1)
        return approve(python, env, names, varying)

    monkeypatch.setattr(keeping, "approve", while_the_other_wants_it)
    assert [start(servers) for servers in (one, one, one, other, other)][2::2] == [
        "server:json,celery", "server:json,celery",
    ]  # fmt: skip
    assert len(found) == 1


def test_what_differs_between_two_environments_is_not_imported_ahead(made, tmp_path, monkeypatch):
    found = Approved(("json",), {"celery": "differs"}, "", ("json", "celery"), compared=True)
    monkeypatch.setattr(keeping, "compare", lambda *_: found)
    servers = ForkServers(tmp_path)
    assert [start(servers) for _ in range(3)][2] == "server:json"
    assert [one.is_closed for one in made] == [True, False]
    assert kept(tmp_path, KEY) == found


def test_two_environments_are_compared_once_for_all_sessions(made, tmp_path, monkeypatch):
    start(one := ForkServers(tmp_path)), start(one)
    monkeypatch.setattr(keeping, "compare", lambda *_: pytest.fail("compared again"))
    again = ForkServers(tmp_path)
    assert [start(again) for _ in range(3)][2] == "server:json,celery"


def test_what_fails_twice_as_a_fork_alone_begins_anew_from_then_on(made, tmp_path):
    servers = ForkServers(tmp_path)
    start(servers), start(servers)
    made[1].failures = ["a fork exited with status 1 before it was ready"]
    assert start(servers) == "server:json,celery"  # that may be chance
    made[1].failures = ["a fork exited with status 1 before it was ready"]
    assert [start(servers), start(ForkServers(tmp_path))] == ["", ""]
    assert kept(tmp_path, KEY).cold == "a fork exited with status 1 before it was ready"
    assert made[1].is_closed


def test_a_server_that_ends_while_it_imports_is_not_made_again(made, tmp_path):
    servers = ForkServers(tmp_path)
    start(servers), start(servers)
    made[1].has_ended, made[1].was_ready = True, False
    assert [start(servers), start(servers)] == ["", ""]
    assert len(made) == 2


def test_a_service_starts_where_no_fork_server_can_be_started(tmp_path, monkeypatch, made):
    def refused(*_):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(keeping, "Kept", refused)
    keep(tmp_path, KEY, Approved(("json",), examined=("json",), compared=True))
    servers = ForkServers(tmp_path)
    assert [start(servers), start(servers), start(ForkServers(tmp_path))] == ["", "", ""]
    told = ForkServers(tmp_path / "new").server_for("worker", ENTRY, {}, WANTED)
    assert told == ("", NOT_YET)
