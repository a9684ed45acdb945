"""Servers that many isolated stacks share: each stack has a part of its own on them."""

import signal
import subprocess
import sys

import pytest

from stackproof.engines.process.images.postgres_server import locate_postgres
from stackproof.plan.runtime import Runtime
from stackproof.waiting import wait_until

CACHE = """\
import pytest, valkey
from urllib.parse import urlsplit

def cache_of(stack):
    url = urlsplit(stack.service("web").exec(["printenv", "CACHE_URL"]).stdout.strip())
    login, at, _ = url.netloc.rpartition("@")
    endpoint = stack.endpoint("cache")  # the name and port in the URL are those that services use
    place = f"{login}{at}{endpoint.host}:{endpoint.port}"
    return valkey.from_url(url._replace(netloc=place).geturl())
"""

TESTS = """\
from stackproof.errors import Refused

@pytest.mark.parametrize("number", range(3))
def test_takes_everything(stack, number):
    assert stack.rows("select count(*) as n from item") == [{"n": 2}]
    stack.psql(["-c", f"insert into item values (3); create table own_{number} ()"], service="db")
    tables = stack.rows("select tablename from pg_tables where schemaname = 'public' order by 1")
    assert [one["tablename"] for one in tables] == ["item", f"own_{number}"]
    stack.psql(["-c", "drop table item"], service="db")
    assert stack.rows("select 1 as one where to_regclass('item') is null") == [{"one": 1}]

@pytest.mark.parametrize("number", range(3))
def test_has_its_own_keys(stack, number):
    with cache_of(stack) as cache:
        assert cache.keys() == [b"seeded"]
        assert cache.get("seeded") == b"yes"
        cache.set("id", number)
        assert cache.get("id") == str(number).encode()
        with pytest.raises(valkey.exceptions.NoPermissionError):
            cache.flushall()
        cache.flushdb()

def test_its_services_see_its_own_database(stack):
    name = stack.dsn().rpartition("/")[2]
    assert name.startswith("shop_") and name.endswith("_e2e") and name != "shop_e2e"
    for service in ("web", "db"):
        url = stack.service(service).exec(["printenv", "DATABASE_URL"]).stdout.strip()
        assert url.endswith("/" + name)

def test_can_look_at_a_shared_server_but_not_break_it(stack):
    db = stack.service("db")
    assert db.state().is_well
    assert "ready to accept connections" in db.logs()
    for fault in (db.kill, db.stop, db.restart, db.pause, db.unpause):
        with pytest.raises(Refused, match="is shared with other tests"):
            fault()
    stack.service("web").restart()

@pytest.mark.stack(shared=[])
def test_can_break_a_server_of_its_own(stack):
    assert stack.dsn().endswith("/shop_e2e")
    with stack.service("db").stopped():
        assert stack.psql(["-c", "select 1"], service="db").exit_code
"""

CROWDED = """\
from pathlib import Path

@pytest.mark.parametrize("number", [
    pytest.param(0, marks=pytest.mark.stack(isolation="module")), 1
])
def test_has_a_cache(stack, number):
    with cache_of(stack) as cache:
        assert cache.keys() == [b"seeded"]
        used = cache.connection_pool.connection_kwargs["db"]
    Path(f"cache-{number}").write_text(str(used))
"""

DATABASES = """\
import pytest, subprocess

@pytest.mark.parametrize("number", range(3))
def test_has_a_database(database, number):
    def psql(sql):
        argv = [PSQL, "-XAtq", database, "-c", sql]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert psql("select id from item order by id") == ["1", "2"]
    assert psql("show timezone") == ["Etc/GMT+7"]
    psql("drop table item")
"""

SLEEP = """\
import time

def test_waits(stack, database):
    print(stack.dsn(), database)
    open("reached", "w").close()
    time.sleep(60)
"""

SEED = """\
import os, socket
from urllib.parse import urlsplit
address = urlsplit(os.environ["CACHE_URL"])
with socket.create_connection((address.hostname, address.port or 6379)) as link:
    link.sendall(b"SET seeded yes\\r\\n")
    assert link.recv(100) == b"+OK\\r\\n"
"""


@pytest.fixture
def sharing(project):
    """A project whose stacks share their servers."""
    cache = project.outer / "cache"
    project.environment["STACKPROOF_CACHE_DIR"] = str(cache)
    config = project.folder / "config/shop.yaml"
    config.write_text(config.read_text() + "isolation: {shared: [db, cache]}\n")
    project.replace("compose.yaml", "SHOP_API_KEY: $", "CACHE_URL: redis://cache/0\n"
                    "      SHOP_API_KEY: $")  # fmt: skip
    project.replace("compose.yaml", "command: python -c", "environment: {CACHE_URL: redis://cache/0}\n"
                    "    command: python -c")  # fmt: skip
    project.write("web/seed.py", SEED)
    project.replace("config/shop.yaml", "seed: {service: db, command: [sh, /scripts/seed.sh]}",
                    "seed: [{service: db, command: [sh, /scripts/seed.sh]},"
                    " {service: once, command: [python, seed.py]}]")  # fmt: skip
    project.write("pytest.ini", "[pytest]\n")
    yield project
    subprocess.run(["rm", "-rf", str(cache)], check=True)


def start(project, tests, *arguments):
    project.write("tests/own/test_own.py", CACHE + tests)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/own"]
    return subprocess.Popen(
        [*argv, *arguments], cwd=project.folder, env=project.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def run(project, tests, *arguments, code=0):
    process = start(project, tests, *arguments)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == code, said
    return said


def test_stacks_on_the_same_servers_do_not_meet(sharing):
    assert "9 passed" in run(sharing, TESTS)
    sharing.wait_until_nothing_is_left()


def test_they_do_not_meet_in_parallel_either(sharing):
    assert "6 passed" in run(sharing, TESTS, "-n", "2", "-k", "everything or keys")
    sharing.wait_until_nothing_is_left()


def test_a_test_that_needs_only_the_database_gets_one_with_all_of_the_templates_settings(sharing):
    runtime = Runtime("image", image="postgres", version="16")
    psql = locate_postgres(runtime, sharing.outer / "cache").bindir / "psql"
    sharing.replace(
        "scripts/migrate.sh", "psql -q",
        'psql -q "$DATABASE_URL" -c "alter database shop_e2e set timezone to \'Etc/GMT+7\'"\n'
        "psql -q",
    )  # fmt: skip
    assert "3 passed" in run(sharing, DATABASES.replace("PSQL", repr(str(psql))))
    sharing.wait_until_nothing_is_left()


def test_where_a_redis_has_no_room_left_a_stack_has_its_own(sharing):
    sharing.replace("compose.yaml", "image: redis:7",
                    "image: redis:7\n    command: [redis-server, --databases, '2']")  # fmt: skip
    assert "2 passed" in run(sharing, CROWDED)
    used = {path.read_text() for path in sharing.folder.glob("cache-*")}
    assert used == {"1", "0"}
    sharing.wait_until_nothing_is_left()


def test_servers_of_a_killed_test_process_are_gone(sharing):
    process = start(sharing, SLEEP)
    wait_until(
        (sharing.folder / "reached").exists, timeout=60, what="the test has a stack and a database"
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    sharing.wait_until_nothing_is_left()


def test_what_can_not_be_rewritten_for_certain_is_an_error_that_names_the_place(sharing):
    sharing.replace("compose.yaml", "redis://cache/0", "tcp://cache:6379")
    said = run(sharing, TESTS, "-k", "keys and 0", code=1)
    assert "once can't be isolated on a shared cache" in said
    assert "services.once.environment.CACHE_URL" in said
    assert "write it as redis://cache:6379/0" in said
    sharing.wait_until_nothing_is_left()


def test_the_configuration_shows_what_a_stack_has_in_place_of_the_servers_names(sharing):
    said = sharing.invoke("config", "--explain")
    assert "in an isolated stack, which shares db, cache" in said
    assert "    + redis://cache/1\n" in said
    assert "canary" not in said
