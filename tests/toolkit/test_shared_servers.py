"""Servers that many isolated stacks share: each stack has a database of its own on them."""

import subprocess
import sys

import pytest

TESTS = """\
import pytest

pytestmark = pytest.mark.stack(STACK)

@pytest.mark.parametrize("number", range(4))
def test_takes_everything(stack, number):
    assert stack.rows("select count(*) as n from item") == [{"n": 2}]
    stack.psql(["-c", f"insert into item values (3); create table own_{number} (x int)"], service="db")
    tables = stack.rows("select tablename from pg_tables where schemaname = 'public' order by 1")
    assert [one["tablename"] for one in tables] == ["item", f"own_{number}"]
    stack.psql(["-c", "drop table item"], service="db")
    assert stack.rows("select 1 as one where to_regclass('item') is null") == [{"one": 1}]
"""

SHARED = "isolation: {shared: [db]}\n"


@pytest.fixture
def cached(tmp_path_factory, project):
    """A cache of the project's own."""
    cache = project.outer / "cache"
    project.environment["STACKPROOF_CACHE_DIR"] = str(cache)
    yield cache
    subprocess.run(["rm", "-rf", str(cache)], check=True)


@pytest.fixture
def sharing(project, cached):
    """A project whose stacks share their servers."""
    config = project.folder / "config/shop.yaml"
    config.write_text(config.read_text() + SHARED)
    return project


def run(project, tests, *arguments, code=0):
    project.write("tests/own/test_own.py", tests)
    project.write("pytest.ini", "[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/own", *arguments],
        cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_stacks_on_one_server_do_not_meet(sharing):
    said = run(sharing, TESTS.replace("STACK", ""))
    print(said)
    assert "4 passed" in said
    sharing.wait_until_nothing_is_left()
