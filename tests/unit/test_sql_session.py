"""A `psql` that is held open: here a program that answers as it does."""

import os
import subprocess
import sys

import pytest

from stackproof.errors import CommandFailed
from stackproof.stack import sql_session
from stackproof.stack.sql_session import SqlSession
from stackproof.waiting import wait_until

PSQL = """\
import sys
failed = "false"
for line in sys.stdin:
    if line.startswith("\\\\echo "):
        print(line.split()[1], failed, flush=True)
        failed = "false"
    elif line == "fail;\\n":
        print("ERROR:  it failed", file=sys.stderr, flush=True)
        failed = "true"
    elif line == "die;\\n":
        sys.exit("the server is gone")
    else:
        print(line.rstrip(";\\n").replace(" ", "\\n"), flush=True)
"""


def psql(streams):
    return subprocess.run(
        [sys.executable, "-c", PSQL], stdin=streams.stdin, stdout=streams.stdout,
        stderr=streams.stderr, check=False,
    ).returncode  # fmt: skip


@pytest.fixture
def session():
    made = SqlSession("db", psql)
    yield made
    made.close()


def test_each_statement_gives_its_own_rows(session):
    assert session.run("a b c") == ["a", "b", "c"]
    assert session.run("d") == ["d"]


def test_a_long_answer_comes_whole(session):
    assert session.run("x" * 200_000) == ["x" * 200_000]


def test_a_failed_statement_tells_the_servers_words_and_the_session_goes_on(session):
    with pytest.raises(CommandFailed, match="it failed"):
        session.run("fail")
    assert session.run("a") == ["a"]


def test_a_lost_connection_is_told(session):
    with pytest.raises(CommandFailed, match="connection to db was lost") as told:
        session.run("die")
    assert "the server is gone" in str(told.value)
    with pytest.raises(CommandFailed, match="connection to db was lost"):
        session.run("a")


def test_why_it_could_not_be_started_is_told():
    def broken(streams):
        raise OSError("there is no psql")

    session = SqlSession("db", broken)
    with pytest.raises(CommandFailed, match="there is no psql"):
        session.run("a")
    session.close()


def test_closing_it_ends_the_program_and_leaves_no_open_file():
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208 - nothing but a count
    session = SqlSession("db", psql)
    assert session.run("a") == ["a"]
    session.close()
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208 - the same
    assert after == before


STOPPED = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"


@pytest.fixture
def stopped(monkeypatch):
    """A session whose psql is stopped, as by SIGSTOP."""
    monkeypatch.setattr(sql_session, "ANSWER_SECONDS", 0.3)
    started = []

    def run(streams):
        with subprocess.Popen(
            [sys.executable, "-c", STOPPED], stdin=streams.stdin, stdout=streams.stdout
        ) as process:
            started.append(process)
        return process.returncode

    made = SqlSession("db", run)
    wait_until(lambda: started, timeout=20, what="psql is started")
    yield made
    started[0].kill()
    made.close()


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_psql_that_is_stopped_is_not_waited_for_for_ever(stopped, size):
    with pytest.raises(CommandFailed, match=r"db did not answer a statement for 0\.3 s"):
        stopped.run("x" * size)
