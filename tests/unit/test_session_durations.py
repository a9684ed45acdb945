"""How long sessions take is told before they run, shown after, and kept."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.sessions.durations import Ran, duration, forecast, read, remember, rows


def test_without_a_record_only_what_will_run_is_told():
    assert forecast(["lint", "unit"], {}) == "2 sessions: lint, unit"


def test_the_times_of_the_last_runs_are_added_up_and_what_is_not_known_is_named():
    assert forecast(["lint", "unit"], {"lint": 20, "unit": 100.4, "e2e": 500}) == (
        "2 sessions: lint, unit\nabout 2 min 00 s by the last runs"
    )
    told = forecast(["lint", "docs"], {"lint": 20})
    assert told.endswith("about 20 s by the last runs, and docs, whose time is not known yet")


def test_only_what_has_passed_is_remembered(tmp_path):
    path = tmp_path / ".nox" / "durations.json"
    remember(path, [Ran("lint", "success", 20.04), Ran("unit", "failed", 3)])
    remember(path, [Ran("unit", "skipped", 0), Ran("e2e", "success", 9)])
    assert read(path) == {"lint": 20.0, "e2e": 9.0}
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_the_table_has_the_time_before_and_the_sum():
    ran = [Ran("lint", "success", 61), Ran("unit", "failed", 5)]
    assert rows(ran, {"lint": 40}) == [
        ("lint", "success", "1 min 01 s", "40 s"),
        ("unit", "failed", "5 s", "-"),
        ("total", "", "1 min 06 s", ""),
    ]


def test_what_is_no_time_is_not_known(tmp_path):
    path = tmp_path / "durations.json"
    path.write_text('{"a": NaN, "b": -1, "c": 1e999, "d": "5", "e": [5], "f": 5}')
    assert read(path) == {"f": 5.0}


@given(st.text() | st.binary().map(lambda data: data.decode(errors="replace")))
def test_any_file_is_read_or_known_as_nothing(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("durations") / "durations.json"
    path.write_text(text, encoding="utf-8", errors="replace")
    assert isinstance(read(path), dict)


@given(st.floats(min_value=0, max_value=1e6))
def test_a_duration_names_its_unit(seconds):
    assert duration(seconds).endswith(" s")


NOXFILE = """\
import nox
@nox.session(venv_backend="none")
def good(session):
    pass
@nox.session(venv_backend="none")
def bad(session):
    session.error("no")
@nox.session(venv_backend="none", default=False)
def extra(session):
    pass
"""


@pytest.fixture
def sessions(tmp_path):
    (tmp_path / "noxfile.py").write_text(NOXFILE)

    def run(*words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "stackproof.sessions", *words],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_run_says_first_what_it_runs_and_ends_with_a_table(sessions, tmp_path):
    first, *_, total = sessions(code=1).splitlines()
    assert first == "2 sessions: good, bad"
    assert total.split()[0] == "total"
    assert json.loads((tmp_path / ".nox/durations.json").read_text()).keys() == {"good"}
    again = sessions(code=1).splitlines()
    assert re.fullmatch(r"about \d+ s by the last runs, and bad, whose .* not known yet", again[1])
    assert [line.split()[:2] for line in again[-3:-1]] == [["good", "success"], ["bad", "aborted"]]


def test_one_session_needs_no_table_and_arguments_of_it_no_forecast(sessions, tmp_path):
    assert sessions("-s", "good", "--", "-k", "x").splitlines() == ["1 session: good"]
    assert not (tmp_path / ".nox/durations.json").exists()


def test_a_list_is_nox_own(sessions):
    assert "* good" in sessions("--list")


def test_an_unknown_session_is_refused_by_nox(sessions):
    sessions("-s", "nothing", code=3)


LONG = """\
import nox
@nox.session(venv_backend="none", allow_parallel=True)
@nox.parametrize("number", [1, 2], ids=["one", "two"])
def long(session, number):
    told = "for i in $(seq 500); do test -e told && exit; sleep 0.02; done"
    session.run("sh", "-c", told, external=True)
"""

IMPATIENT = """\
from stackproof.sessions import __main__ as sessions
told = sessions.told_what_runs
sessions.told_what_runs = lambda: told(every=0.05)
sessions.main(["-j", "2"])
"""


def test_while_sessions_run_at_the_same_time_it_says_which(tmp_path):
    (tmp_path / "noxfile.py").write_text(LONG)
    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if re.match(r"still running long\((one|two)\), long\((one|two)\) \(\d+ s\)$", line):
                (tmp_path / "told").touch()
                break
        else:
            pytest.fail("it was not said")
        assert "long(two): success" in process.communicate(timeout=60)[0]
    assert process.returncode == 0


ENDLESS = """\
import nox
@nox.session(venv_backend="none")
def endless(session):
    session.run("sh", "-c", "echo begun; exec sleep 600")
"""


STARTING = ENDLESS.replace(
    'session.run("sh", "-c", "echo begun; exec sleep 600")',
    """import signal, subprocess
    subprocess.Popen(["sh", "-c", "echo begun; exec sleep 600"])  # nox does not wait for it yet
    signal.pause()""",
)


@pytest.mark.parametrize(
    ("number", "noxfile"),
    [(signal.SIGTERM, ENDLESS), (signal.SIGINT, ENDLESS), (signal.SIGTERM, STARTING)],
    ids=["SIGTERM", "SIGINT", "while a command is started"],
)
def test_a_run_that_is_told_to_end_leaves_neither_process_nor_folder(tmp_path, number, noxfile):
    (tmp_path / "noxfile.py").write_text(noxfile)
    own = tmp_path / "tmp"
    own.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-m", "stackproof.sessions"], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": str(own)},
    )  # fmt: skip
    for line in run.stdout:
        if line == "begun\n":
            break
    run.send_signal(number)
    run.communicate(timeout=60)  # which ends when nobody has its output open any more
    assert run.returncode
    assert list(own.iterdir()) == []
