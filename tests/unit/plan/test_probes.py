"""Health checks become probes that need none of the image's own programs."""

import json
from dataclasses import replace

import pytest

from stackproof.errors import ConfigError
from stackproof.readiness.probes import (
    AliveProbe,
    AmqpProbe,
    CommandProbe,
    HealthTiming,
    HttpProbe,
    ListeningProbe,
    LogProbe,
    PostgresProbe,
    RedisProbe,
    TcpProbe,
    probe_from_json,
    probe_to_json,
)
from stackproof.settings.model import Database
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


URL_OPEN = "u.urlopen('http://localhost:8000/health', timeout=3)"


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        (f"{URL_OPEN}.read()", True),
        (f"print({URL_OPEN}.read().decode())", True),
        (f"print({URL_OPEN}.status)", True),
        (f"with {URL_OPEN} as answer: answer.read()", True),
        (f"exit(b'ok' not in {URL_OPEN}.read())", False),
        (f"raise SystemExit({URL_OPEN}.read() != b'ok')", False),
        (f"body = {URL_OPEN}.read(); exit(len(body) < 3)", False),
        (f"{URL_OPEN}.read(; ", False),
    ],
)
def test_a_program_that_drops_what_it_reads_is_asked_directly(planning, code, asked):
    whole = code if code.startswith("with") else f"import urllib.request as u; {code}"
    found = probe(planning, "CMD", "python3", "-c", whole)
    assert found == HERE if asked else isinstance(found, CommandProbe)


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


def test_one_of_the_published_ports_is_waited_for_where_there_is_no_check(planning):
    app = planning.native("app", expose=(9000,), ports=(Port(8000), Port(8001)))
    assert planning.plan(app).service("app").probe == ListeningProbe((18000, 18001))


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


@pytest.mark.parametrize("engine", ["process", "compose"])
def test_a_check_that_ready_replaces_is_told_of(planning, engine):
    def told(check, extension):
        app = planning.native("app", healthcheck=check, extension=extension)
        return [one for one in planning.plan(app, engine=engine).notices if "decides" in one]

    check, ready = Healthcheck(("CMD", "true")), {"ready": {"log": "x"}}
    [line] = told(check, ready)
    assert line.startswith("app: `x-stackproof.ready` decides")
    assert line.endswith("of its `healthcheck`, the times count, and the test does not")
    assert told(check, {}) == []
    assert told(Healthcheck(interval=1.0), ready) == told(Healthcheck(disable=True), ready) == []


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


def of_container(planning, **values):
    return planning.plan(Service("app", image="app:1", **values), engine="compose").service("app")


def test_a_container_with_ports_and_no_check_is_ready_when_it_listens_on_one_of_its_own(planning):
    ports = (Port(8000, protocol="tcp"), Port(9000), Port(53, protocol="udp"))
    assert of_container(planning, ports=ports).probe == ListeningProbe((8000, 9000))


def test_a_container_is_asked_for_its_own_port_where_ready_names_one(planning):
    asked = of_container(planning, ports=(Port(8000),), extension={"ready": {"tcp": 8000}})
    assert asked.probe == ListeningProbe((8000,))


def test_a_container_without_ports_or_with_its_check_disabled_is_ready_when_it_runs(planning):
    assert of_container(planning).probe is None
    disabled = Healthcheck(disable=True)
    assert of_container(planning, ports=(Port(8000),), healthcheck=disabled).probe is None


@pytest.mark.parametrize(
    "test",
    [
        ("CMD", "rabbitmq-diagnostics", "-q", "ping"),
        ("CMD-SHELL", "rabbitmq-diagnostics -q check_running || exit 1"),
        ("CMD-SHELL", "rabbitmq-diagnostics -q ping && rabbitmqctl -q status"),
        ("CMD", "rabbitmq-diagnostics", "check_port_connectivity"),
    ],
)
def test_a_broker_is_asked_without_starting_erlang_in_a_container_by_its_protocol(planning, test):
    broker = Service(name="mq", image="rabbitmq:3", healthcheck=Healthcheck(test))
    assert planning.plan(broker).service("mq").probe == TcpProbe("127.0.0.1", 15672)
    in_container = planning.plan(broker, engine="compose").service("mq").probe
    assert in_container == AmqpProbe("127.0.0.1", 15672)


@pytest.mark.parametrize(
    "test",
    [
        "rabbitmq-diagnostics -q check_local_alarms",
        "rabbitmq-diagnostics -q ping && rabbitmqctl list_queues | grep orders",
        "rabbitmqctl -n other@host ping",
    ],
)
def test_what_a_handshake_does_not_show_is_really_run(planning, test):
    check = Healthcheck(("CMD-SHELL", test))
    broker = Service(name="mq", image="rabbitmq:3", healthcheck=check)
    assert isinstance(planning.plan(broker).service("mq").probe, CommandProbe)


def test_only_a_process_has_a_port_for_the_brokers_own_programs(planning):
    broker = Service(name="mq", image="rabbitmq:3", ports=(Port(target=15672),))

    def targets(engine):
        service = planning.plan(broker, engine=engine).service("mq")
        return [endpoint.target for endpoint in service.endpoints]

    assert targets("process") == [5672, 15672, 25672]
    assert targets("compose") == [5672, 15672]


BEAT = "select 1 from worker where beat > now() - interval '5 s'"


@pytest.mark.parametrize("engine", ["process", "compose"])
def test_a_worker_may_be_ready_by_a_query_of_the_stacks_database(planning, postgres, engine):
    database = replace(postgres, environment={"POSTGRES_USER": "shop", "POSTGRES_DB": "shop_e2e"})
    worker = planning.native(
        "worker", image="shop/worker", extension={"ready": {"sql": BEAT + ";"}}
    )
    found = planning.plan(database, worker, engine=engine).service("worker").probe
    assert (found.sql, found.service) == (BEAT, "db")
    assert found.argv[-5:] == ("shop", "-d", "shop_e2e", "-c", BEAT)
    assert probe_from_json(json.loads(json.dumps(probe_to_json(found)))) == found


def test_it_must_be_known_which_database_a_query_is_for(planning, postgres):
    worker = planning.native("worker", extension={"ready": {"sql": BEAT}})
    other = replace(postgres, name="other")
    for services in ([worker], [worker, postgres, other]):
        with pytest.raises(ConfigError, match="which database `ready` of worker asks"):
            planning.plan(*services)
    planning.configure(database=Database("other", "x_e2e"))
    plan = planning.plan(worker, postgres, replace(other, environment={"POSTGRES_DB": "x_e2e"}))
    assert plan.service("worker").probe.service == "other"


def test_a_readiness_of_several_statements_is_refused(planning, postgres):
    worker = planning.native("worker", extension={"ready": {"sql": "select 1; drop table x"}})
    with pytest.raises(ConfigError, match="not one query"):
        planning.plan(worker, postgres)
