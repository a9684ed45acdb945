"""Stacks of tests' own are started while the test before runs, and none outlives the session."""

import json
import signal
import subprocess
import sys

import pytest

from stackproof.reaper.leftovers import find_runs
from stackproof.suites.suite import SuiteRequest, run_suite
from stackproof.waiting import wait_until

TESTS = """\
import os, pathlib, pytest

def wait_for(name):
    while not pathlib.Path(os.environ["OUTER"], name).exists():
        pass

@pytest.mark.parametrize("number", range(3))
def test_counts(stack, number):
    if os.environ.get("HOLD") == str(number):
        pathlib.Path(os.environ["OUTER"], "holding").touch()
        wait_for("go on")
    assert number != int(os.environ.get("FAIL", "9"))
    assert stack.rows("select count(*) as n from item") == [{"n": 2}]
    stack.psql(["-c", "delete from item"], service="db")
"""


@pytest.fixture
def tests(project):
    """The project with tests that each have a stack of their own; gives their folder."""
    project.write("tests/integration/test_shop.py", "")
    project.write("tests/own/test_own.py", TESTS)
    project.write("pytest.ini", "[pytest]\n")
    project.environment["OUTER"] = str(project.folder)
    return project


def start(project, *arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=project.folder, env={**project.environment, **more}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def run(project, *arguments, code=0, **more):
    process = start(project, *arguments, **more)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == code, said
    return said


def costs(project):
    files = (project.folder / ".artifacts/pytest/latest").glob("stacks*.json")
    return [one for file in files for one in json.loads(file.read_text())]


def test_while_a_test_runs_the_stack_of_the_next_is_started(tests):
    said = run(tests, "tests/own")
    assert [one["ahead"] for one in costs(tests)] == [False, True, True]
    assert "stacks: 3 isolated; waited" in said
    tests.wait_until_nothing_is_left()


def test_each_stack_s_times_are_in_the_artifacts(tests):
    run(tests, "tests/own", "-k", "0")
    (cost,) = costs(tests)
    assert cost["test"] == "tests/own/test_own.py::test_counts[0]"
    assert min(cost["waited"], cost["started"], cost["stopped"]) > 0


def test_without_a_pool_none_is(tests):
    run(tests, "tests/own", STACKPROOF_POOL="0")
    assert [one["ahead"] for one in costs(tests)] == [False, False, False]
    tests.wait_until_nothing_is_left()


def test_a_stack_that_nobody_took_is_ended_with_the_session(tests):
    run(tests, "tests/own", "-x", code=1, FAIL="0")
    tests.wait_until_nothing_is_left()


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_a_session_that_is_interrupted_leaves_no_stack_that_was_started_ahead(tests, blow):
    process = start(tests, "tests/own", HOLD="0")
    wait_until((tests.folder / "holding").exists, timeout=60, what="the first test runs")
    wait_until(lambda: len(find_runs(tests.state)) > 1, timeout=60, what="the next one starts")
    process.send_signal(blow)
    process.communicate(timeout=120)
    tests.wait_until_nothing_is_left()


def test_a_failing_test_s_stack_can_be_kept(tests):
    said = run(tests, "tests/own", "-k", "0", "--stack-keep", code=1, FAIL="0")
    runs = find_runs(tests.state)
    assert len(runs) == 1, said
    (left,) = runs
    assert "web" in tests.invoke("status", "--project", left.project)
    tests.invoke("down", "--project", left.project)
    tests.wait_until_nothing_is_left()


def test_a_suite_of_isolated_tests_starts_no_stack_of_its_own(tests):
    tests.replace("config/shop.yaml", "timeouts:", "suites: {own: {isolation: test}}\ntimeouts:")
    tests.write("tests/own/test_own.py", TESTS.replace("@pytest", "@pytest.mark.own\n@pytest", 1))
    seen, said = [], []
    request = SuiteRequest(root=tests.folder, environment=tests.environment, suite="own")

    def pytest_run(arguments, _):
        seen.append([one.project for one in find_runs(tests.state)])
        assert "--default-isolation=test" in arguments
        return True

    assert run_suite(request, pytest_run, said.append)
    assert seen == [[]]


def test_a_test_can_share_the_stack_that_is_up(tests):
    tests.invoke("up")
    tests.invoke("migrate")
    tests.invoke("seed")
    run(tests, "tests/own", "-k", "0 or 1", "--isolation=shared", code=1)  # the first deletes all
    tests.invoke("down")
    tests.wait_until_nothing_is_left()


REMOVES = """\
import shutil

def test_removes_what_is_known_of_its_stack(stack):
    shutil.rmtree(stack.plan.run_folder)

def test_another(stack):
    assert stack.rows("select count(*) as n from item") == [{"n": 2}]
"""


def test_a_stack_whose_record_somebody_removed_is_told_and_ended(tests):
    tests.write("tests/own/test_own.py", REMOVES)
    said = run(tests, "tests/own", code=1)
    assert "not everything could be taken down" in said
    assert "disappeared while its stack was in use" in said
    tests.wait_until_nothing_is_left()
