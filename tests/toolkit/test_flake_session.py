"""The flake meter on a stranger's project: own stacks, an order that can be repeated, artifacts."""

import subprocess
import sys

import pytest

from stackproof.suites.flake_session import measure

TESTS = """\
def test_counts(stack, stackproof_flake_run):
    assert stack.rows("select count(*) as n from item") == [{"n": 2}]
    stack.psql(["-c", "delete from item"], service="db")
    assert stackproof_flake_run != 1, "a rare one"
"""


@pytest.fixture
def session(project):
    """Runs the session's work; gives its verdict, what pytest said, and what the session said."""
    project.write("tests/own/test_own.py", TESTS)
    project.write("pytest.ini", "[pytest]\n")

    def run(*arguments):
        said, told = [], []

        def pytest_run(arguments):
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
                cwd=project.folder, env=project.environment, text=True, check=False,
                timeout=240, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            said.append(done.stdout)
            return done.returncode == 0

        passed = measure(project.folder, project.environment, arguments, pytest_run, told.append)
        return passed, said[0], told

    return run


def test_failing_runs_are_counted_and_each_has_its_artifacts(project, session):
    passed, said, told = session("tests/own", "--runs", "3", "--seed=7")
    assert not passed
    assert "3 runs of each test, shuffled by the seed 7" in said
    assert "tests/own/test_own.py::test_counts     3       1   33.3%             86.5%" in said
    assert "1 failed by: AssertionError: a rare one" in said
    [failure] = (project.folder / ".artifacts/flake/latest/failures").iterdir()
    assert str(failure.resolve() / "failure.txt") in said
    assert (failure / "logs/db.log").exists()
    assert "nox -s flake -- tests/own --runs 3 --seed=7" in told[-2]
    project.wait_until_nothing_is_left()


def test_without_a_seed_one_is_chosen_and_told(session):
    _, said, told = session("tests/own", "--runs", "1", "-n", "0")
    seed = told[-2].rpartition("--seed=")[2]
    assert f"shuffled by the seed {seed}" in said


def test_a_named_suite_runs_its_tests_and_no_others(project):
    told = []

    def arguments_of(*arguments):
        given = []
        measure(project.folder, project.environment, arguments, given.extend, told.append)
        return given

    given = arguments_of("tests/own", "--suite", "e2e_llm")
    assert given[given.index("-m") + 1] == "e2e_llm"
    assert "-m" not in arguments_of("tests/own")
