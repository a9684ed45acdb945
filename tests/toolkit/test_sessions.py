"""The suite sessions as a person types them: what is wrong is said before anything starts."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--engin", "compose"], "did you mean --engine?"),
        (["tests/integration/test_shop.py::test_gone"], "not found"),
        (["-k", "nothing_is_called_so"], "no test was chosen"),
        (["--zebra"], "unrecognized arguments: --zebra"),
        (["--stack", "shed"], "shed"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_starts(nox, project, words, told):
    said = nox(*words)
    assert told in said
    assert "preparing" not in said
    assert not (project.folder / ".artifacts").exists()
    assert project.nothing_is_left()


def test_a_path_of_the_configuration_that_does_not_exist_is_refused(nox, project):
    project.replace(
        "config/shop.yaml", "timeouts:", "suites: {integration: {paths: [tests/gone]}}\ntimeouts:"
    )
    said = nox()
    assert "config/shop.yaml" in said
    assert "the suite integration has no tests: tests/gone does not exist" in said


def test_the_id_of_a_test_narrows_the_suite(nox):
    said = nox("tests/integration/test_shop.py::test_greets", code=0)
    assert "1 passed" in said


MEETING = """\
import pathlib, httpx, pytest
from stackproof import wait_until

@pytest.mark.{own}
def test_is_there_with_the_other_suite(stack):
    assert httpx.get(stack.url("web")).text == "hello"
    pathlib.Path("{own} is here").touch()
    wait_until(pathlib.Path("{other} is here").exists, timeout=60, what="the other suite")
"""


def test_two_suites_run_at_the_same_time_each_on_its_own_stack(nox, project):
    for own, other in [("integration", "e2e"), ("e2e", "integration")]:
        project.write(f"tests/{own}/test_shop.py", MEETING.format(own=own, other=other))
    said = nox(code=0, sessions=("-j", "2", "-s", "integration", "e2e"))
    assert said.count("1 passed") == 2
    assert project.nothing_is_left()


SCENARIOS = """\
import pytest

pytestmark = pytest.mark.e2e

@pytest.mark.parametrize("word", ["a b", "c"])
def test_words(word): pass

@pytest.mark.stack("shop", profiles=["*"])
def test_has_a_stack(stack): pass

@pytest.mark.integration
def test_is_of_two_suites(): pass
"""


def test_the_list_of_scenarios_is_what_pytest_collects_and_starts_nothing(nox, project):
    project.write("tests/e2e/test_list.py", SCENARIOS)
    path = "tests/e2e/test_list.py"
    said = nox("--list-scenarios", "--json", code=0, sessions=("-s", "e2e"))
    [line] = [line for line in said.splitlines() if line.startswith("[")]
    found = json.loads(line)
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "e2e", "tests/e2e"],
        cwd=project.folder, env=project.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    ids = [line for line in collected.stdout.splitlines() if "::" in line]
    assert [one["id"] for one in found] == ids
    assert {one["file"] for one in found} == {path}
    assert {one["stack"] for one in found} == {"shop"}
    markers = {one["id"].partition("::")[2]: one["markers"] for one in found}
    assert markers["test_is_of_two_suites"] == ["e2e", "integration"]
    assert markers["test_words[a b]"] == ["e2e", "parametrize"]

    plain = nox("--list-scenarios", "-k", "a_stack", code=0, sessions=("-s", "e2e"))
    assert f"shop   {path}::test_has_a_stack  e2e, stack" in plain
    assert "test_words" not in plain
    assert not (project.folder / ".artifacts").exists()
    assert project.nothing_is_left()


def test_a_list_without_scenarios_and_a_file_that_breaks_are_errors(nox, project):
    said = nox("--list-scenarios", "-k", "no_such", sessions=("-s", "e2e"))
    assert "there are no scenarios to list" in said
    project.write("tests/e2e/test_broken.py", "import no_such_module\n")
    said = nox("--list-scenarios", sessions=("-s", "e2e"))
    assert "pytest can't collect the tests of e2e" in said


AT_ONCE = """\
import os, pathlib, pytest
from stackproof import wait_until

@pytest.mark.e2e
@pytest.mark.parametrize(("own", "other"), [("first", "second"), ("second", "first")])
def test_is_there_with_the_other(own, other):
    pathlib.Path(f"{own} is here").touch()
    wait_until(pathlib.Path(f"{other} is here").exists, timeout=60, what="the other test")
    assert os.environ["PYTEST_XDIST_WORKER"]
"""


def test_parallel_runs_two_tests_at_a_time_or_more_and_refuses_a_shared_stack(nox, project):
    project.write("tests/e2e/test_shop.py", AT_ONCE)
    said = nox("--parallel", sessions=("-s", "e2e"))
    assert "--parallel can't be honoured for e2e" in said
    assert "the isolation is shared: all tests use one stack" in said
    assert "add --isolation test" in said
    assert not (project.folder / ".artifacts").exists()

    said = nox("--parallel", "--isolation", "test", code=0, sessions=("-s", "e2e"))
    assert "tests at a time" in said
    assert "2 passed" in said
