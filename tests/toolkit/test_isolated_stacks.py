"""A stack of its own for a test: what one does to it, no other sees."""

import subprocess
import sys

import pytest

TESTS = """\
import pytest

@pytest.mark.stack(isolation="ISOLATION")
@pytest.mark.parametrize("number", range(2))
def test_takes_everything(stack, number):
    assert stack.rows("select count(*) as t from item") == [{"t": 2}]
    stack.psql(["-c", "drop table item"], service="db")
    assert stack.rows("select 1 as one where to_regclass('item') is null") == [{"one": 1}]

@pytest.mark.stack(env={"web": {"GREETING": "good evening"}})
def test_has_its_own_environment(stack):
    import httpx
    assert httpx.get(stack.url("web")).text == "good evening"
"""


@pytest.fixture
def cached(tmp_path_factory, project):
    """A cache of the project's own, so that its snapshots can be counted."""
    cache = project.outer / "cache"
    project.environment["STACKPROOF_CACHE_DIR"] = str(cache)
    yield cache
    subprocess.run(["rm", "-rf", str(cache)], check=True)


def run(project, *arguments, isolation="test", code=0):
    project.write("tests/own/test_own.py", TESTS.replace("ISOLATION", isolation))
    project.write("pytest.ini", "[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/own", *arguments],
        cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def snapshots(cache):
    found = (cache / "snapshots").iterdir()
    return sorted(path.name for path in found if path.is_dir() and path.name[0] != ".")


def test_tests_that_destroy_their_data_do_not_meet(project, cached):
    assert "3 passed" in run(project)
    project.wait_until_nothing_is_left()


def test_they_do_not_meet_in_parallel_either_and_the_snapshots_are_made_once(project, cached):
    assert "3 passed" in run(project, "-n", "2")
    assert len(snapshots(cached)) == 2  # one for each environment
    project.wait_until_nothing_is_left()


def test_a_module_can_share_one_and_then_sees_what_was_done(project, cached):
    said = run(project, "-k", "everything", isolation="module", code=1)
    assert "1 failed, 1 passed" in said
    assert 'db: relation "item" does not exist at' in said
    assert "stackproof artifacts" in said
    project.wait_until_nothing_is_left()


def test_a_changed_seed_makes_another_snapshot(project, cached):
    run(project, "-k", "everything")
    (before,) = snapshots(cached)
    run(project, "-k", "everything")
    assert snapshots(cached) == [before]

    project.replace("scripts/seed.sh", "(2)", "(3)")
    run(project, "-k", "everything")

    assert len(snapshots(cached)) == 2


def test_a_wrong_option_of_the_marker_is_said(project, cached):
    said = run(project, "-k", "everything", isolation="galaxy", code=2)
    assert "there is no isolation 'galaxy'" in said


BROKEN = """\
import pytest

@pytest.mark.stack(env={"web": {"GREETING": "broken"}})
@pytest.mark.parametrize("number", range(3))
def test_of_a_stack_that_can_not_start(stack, number):
    pass
"""


def test_a_stack_that_fails_to_start_is_tried_once(project, cached):
    project.write("tests/own/test_broken.py", BROKEN)
    said = run(project, "tests/own/test_broken.py", "-k", "can_not", code=1)
    assert "3 errors" in said
    assert said.count("no greeting today") >= 3
    reports, _, _ = said.partition("short test summary info")
    assert reports.count("it failed for tests/own/test_broken.py::test_of") == 2
    project.wait_until_nothing_is_left()


BESIDE = """\
import httpx, pytest
pytestmark = pytest.mark.integration

@pytest.mark.stack(env={"web": {"GREETING": "good evening"}})
def test_own(stack, running_stack):
    assert httpx.get(stack.url("web")).text == "good evening"
    assert httpx.get(running_stack.url("web")).text == "hello"

@pytest.mark.stack(isolation="shared")
def test_shared_by_its_marker(stack, running_stack):
    assert stack.plan.project == running_stack.plan.project

def test_shared_by_its_suite(stack, running_stack):
    assert stack.plan.project == running_stack.plan.project
"""


def test_a_marker_gets_a_new_stack_although_the_suite_shares_one(project, cached):
    project.write("tests/integration/test_shop.py", BESIDE)
    project.invoke("up")
    assert "3 passed" in project.invoke("test", "integration")
    assert "2 passed" in project.invoke("test", "integration", "--", "-k", "shared")
    said = project.invoke("test", "integration", "--", "--isolation=shared", code=1)
    assert "a shared stack can't honour env" in said
    project.invoke("down")
