"""Health checks become probes that need none of the image's own programs."""

import pytest

from stackproof.readiness.probes import (
    AliveProbe,
    CommandProbe,
    HealthTiming,
    HttpProbe,
    LogProbe,
    PostgresProbe,
    RedisProbe,
    TcpProbe,
)
from stackproof.stack_file.model import Healthcheck, Port, Service

HERE = HttpProbe("http://localhost:18000/health")


def probe(planning, *test, **values):
    app = planning.native("app", expose=(8000,), healthcheck=Healthcheck(test), **values)
    return planning.plan(app).service("app").probe


@pytest.mark.parametrize(
    "command",
    [
        "curl -f http://localhost:8000/health",
        "curl --fail --silent http://localhost:8000/health || exit 1",
        "curl -sSf -o /dev/null --max-time 3 http://localhost:8000/health || exit 1;",
        "curl -fsS localhost:8000/health || false",
        "wget --spider -q http://localhost:8000/health",
        "wget -qO- http://localhost:8000/health || exit 1",
        "wget --no-verbose --tries=1 --spider http://localhost:8000/health || exit 1",
        "/usr/bin/curl -f 'http://localhost:8000/health'",
        "python -c \"import urllib.request as u; u.urlopen('http://localhost:8000/health')\"",
    ],
)
def test_a_usual_http_check_is_asked_directly(planning, command):
    assert probe(planning, "CMD-SHELL", command) == HERE


def test_the_same_as_a_list_of_arguments(planning):
    assert probe(planning, "CMD", "curl", "-f", "http://localhost:8000/health") == HERE
    code = "import urllib.request as u; u.urlopen('http://localhost:8000/health', timeout=3)"
    assert probe(planning, "CMD", "python", "-c", code) == HERE


def test_curl_without_fail_is_content_with_any_answer(planning):
    assert probe(planning, "CMD", "curl", "http://127.0.0.1:8000/x") == TcpProbe("127.0.0.1", 18000)


def test_netcat_is_a_connection(planning):
    assert probe(planning, "CMD-SHELL", "nc -z localhost 8000") == TcpProbe("localhost", 8000)
    redis = Service(name="cache", image="redis:7")
    app = planning.native("app", healthcheck=Healthcheck(("CMD", "nc", "-vz", "cache", "6379")))
    assert planning.plan(app, redis).service("app").probe == TcpProbe("127.0.0.1", 16379)


@pytest.mark.parametrize(
    "command",
    [
        "curl -f http://localhost:8000/health && test -f /x",
        "curl -f http://localhost:8000/health | grep ok",
        "curl -f -X POST http://localhost:8000/health",
        "curl -f https://localhost:8000/health",
        "curl -f http://localhost:$PORT/health",
        "curl -f http://localhost:8000/a http://localhost:8000/b",
        "test -f /tmp/ready",
        "python manage.py check",
    ],
)
def test_any_other_check_is_run_as_a_command(planning, command):
    assert isinstance(probe(planning, "CMD-SHELL", command), CommandProbe)


def test_a_check_that_judges_the_content_is_run_as_a_command(planning):
    code = "import json,urllib.request as u; json.load(u.urlopen('http://localhost:8000/x'))['ok']"
    found = probe(planning, "CMD", "python", "-c", code)
    assert isinstance(found, CommandProbe)
    assert "localhost:18000" in found.argv[2]


def test_a_command_is_translated_like_any_other(planning):
    found = probe(planning, "CMD-SHELL", "my-check --port 8000")
    assert found == CommandProbe(("/bin/sh", "-c", "my-check --port 18000"))


@pytest.mark.parametrize("test", [("NONE",), ()])
def test_no_check_is_no_probe(planning, test):
    assert probe(planning, *test) is None


def test_a_disabled_check_is_no_probe(planning):
    check = Healthcheck(disable=True)
    db = Service(name="db", image="postgres:16", healthcheck=check)
    assert planning.plan(db).service("db").probe is None


@pytest.mark.parametrize(
    "check",
    [None, Healthcheck(("CMD-SHELL", "pg_isready -U $POSTGRES_USER -d $POSTGRES_DB")),
     Healthcheck(("CMD", "pg_isready")), Healthcheck(interval=1.0)],
)  # fmt: skip
def test_postgres_is_asked_in_its_own_protocol(planning, check):
    environment = {"POSTGRES_USER": "ann", "POSTGRES_DB": "shop"}
    db = Service(name="db", image="postgres:16", environment=environment, healthcheck=check)
    found = planning.plan(db).service("db").probe
    assert found == PostgresProbe("127.0.0.1", 15432, "ann", "shop")


@pytest.mark.parametrize("test", ["redis-cli ping", "redis-cli -a x ping | grep PONG"])
def test_redis_is_asked_in_its_own_protocol(planning, test):
    cache = Service(name="cache", image="redis:7", healthcheck=Healthcheck(("CMD-SHELL", test)))
    assert planning.plan(cache).service("cache").probe == RedisProbe("127.0.0.1", 16379)


def test_a_published_port_is_waited_for_where_there_is_no_check(planning):
    app = planning.native("app", expose=(9000,), ports=(Port(8000),))
    assert planning.plan(app).service("app").probe == TcpProbe("127.0.0.1", 18000)


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        ({"log": "ready$"}, LogProbe("ready$")),
        ({"alive": 2}, AliveProbe(2.0)),
        ({"tcp": 8000}, TcpProbe("127.0.0.1", 18000)),
        ({"tcp": 7000}, TcpProbe("127.0.0.1", 17000)),
        ({"http": "http://localhost:8000/x"}, HttpProbe("http://localhost:18000/x")),
        ({"http": "/health"}, HttpProbe("http://127.0.0.1:18000/health")),
        ({"command": ["check", "localhost:8000"]}, CommandProbe(("check", "localhost:18000"))),
    ],
)
def test_ready_of_the_extension_is_stronger_than_the_check(planning, ready, expected):
    found = probe(planning, "CMD", "true", extension={"ready": ready})
    assert found == expected


def test_times_are_composes_but_the_first_success_is_looked_for_often(planning):
    app = planning.native("app", healthcheck=Healthcheck(("CMD", "true"), interval=5, retries=9))
    timing = planning.plan(app).service("app").timing
    assert timing == HealthTiming(5, 30.0, 9, 0.0, 0.5)


def test_a_check_that_is_asked_otherwise_is_recorded(planning):
    check = Healthcheck(("CMD", "curl", "-f", "http://localhost:8000/"))
    one = planning.plan(planning.native("app", healthcheck=check)).translations[-1]
    assert (one.place, one.rule) == ("healthcheck", "probe")
    assert one.before == "curl -f http://localhost:8000/"
    assert one.after == "GET http://localhost:18000/"
