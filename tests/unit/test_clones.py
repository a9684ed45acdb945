"""Clones of a database: made ahead, given away once, dropped after use."""

import threading

import pytest

from stackproof.errors import CommandFailed
from stackproof.isolation.clones import Clones, clone_name


class FakeSession:
    """Keeps what is run; can be made to wait, or to fail."""

    def __init__(self, *, version=160004, has_properties=False):
        self.statements = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.fails = ""
        self.row = f"{version}|shop|{'t' if has_properties else 'f'}"
        self.is_closed = False

    def run(self, statement):
        self.statements.append(statement)
        if statement.startswith("select"):
            return [self.row]
        if statement.startswith("create"):
            self.go_on.wait(10)
        if self.fails and statement.startswith(self.fails):
            raise CommandFailed("no", exit_code=1, output="the disk is full")
        return []

    def close(self):
        self.is_closed = True

    def begun(self, word):
        return [one for one in self.statements if one.startswith(word)]


@pytest.fixture
def session():
    return FakeSession()


@pytest.fixture
def clones(session):
    made = Clones(session, "shop_e2e")
    yield made
    session.go_on.set()
    made.close()


def test_a_clone_is_as_safe_to_lose_as_its_template():
    name = clone_name("shop_e2e")
    assert name.startswith("shop_")
    assert name.endswith("_e2e")
    assert name != clone_name("shop_e2e")


def test_a_name_is_never_longer_than_postgresql_allows():
    name = clone_name("s" * 70 + "_test")
    assert len(name) == 63
    assert name.endswith("_test")


def test_the_template_takes_no_connections(session, clones):
    assert session.statements[0] == (
        'alter database "shop_e2e" with is_template true allow_connections false'
    )


def test_clones_are_made_before_they_are_asked_for(session, clones):
    clones.wait_idle()
    assert len(session.begun("create")) == 2


def test_no_clone_is_given_twice(clones):
    assert len({clones.take() for _ in range(6)}) == 6


def test_one_that_is_asked_for_before_it_is_ready_is_waited_for(session):
    session.go_on.clear()
    made = Clones(session, "shop_e2e", ahead=0)
    taken = []
    asking = threading.Thread(target=lambda: taken.append(made.take()))
    asking.start()
    session.go_on.set()
    asking.join(10)
    assert len(taken) == 1
    made.close()


def test_a_used_one_is_dropped_whoever_is_connected(session, clones):
    name = clones.take()
    clones.give_back(name)
    clones.wait_idle()
    assert session.begun("drop") == [f'drop database "{name}" with (force)']


def test_files_are_copied_since_postgresql_15_by_choice_and_before_anyway(session, clones):
    clones.wait_idle()
    assert session.begun("create")[0].endswith('template "shop_e2e" owner shop strategy file_copy')
    older = FakeSession(version=140011)
    made = Clones(older, "shop_e2e")
    made.wait_idle()
    made.close()
    assert older.begun("create")[0].endswith('template "shop_e2e" owner shop')


def test_settings_and_privileges_of_the_template_are_taken_along_if_it_has_any(session, clones):
    clones.wait_idle()
    assert session.begun("update") + session.begun("insert") == []
    rich = FakeSession(has_properties=True)
    made = Clones(rich, "shop_e2e", ahead=1)
    made.wait_idle()
    made.close()
    assert len(rich.begun("update pg_database")) == 1
    assert len(rich.begun("insert into pg_db_role_setting")) == 1


def test_why_there_is_none_is_told_to_whoever_asks(session):
    session.fails = "create"
    made = Clones(session, "shop_e2e")
    with pytest.raises(CommandFailed, match="the disk is full"):
        made.take()
    made.close()


def test_a_server_that_is_left_up_lets_its_template_be_looked_at(session):
    made = Clones(session, "shop_e2e")
    made.close(reopen=True)
    assert session.statements[-1] == 'alter database "shop_e2e" with allow_connections true'
    assert session.is_closed
