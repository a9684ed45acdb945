"""Addresses of containers become addresses of this machine, and nothing else is touched.

Container port N becomes N + 10000 here (see conftest).
"""

import pytest

from stackproof.stack_file.model import Port, Service


@pytest.fixture
def api(planning):
    return planning.native("api", expose=(8000,))


def value(planning, text, *others, name="VALUE", **values):
    return planning.environment({name: text}, *others, **values)[name]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("postgresql://db:5432/shop", "postgresql://127.0.0.1:15432/shop"),
        ("postgresql+psycopg://u:p@db:5432/shop", "postgresql+psycopg://u:p@127.0.0.1:15432/shop"),
        ("postgres://u:p@db/shop", "postgres://u:p@127.0.0.1:15432/shop"),
        ("postgresql://db:5432", "postgresql://127.0.0.1:15432"),
        ("postgresql://db:db@db/db", "postgresql://db:db@127.0.0.1:15432/db"),
        ("postgresql://db:5432@db/db", "postgresql://db:5432@127.0.0.1:15432/db"),
        ("POSTGRESQL://DB/shop", "POSTGRESQL://127.0.0.1:15432/shop"),
        ("redis://cache:6379/0", "redis://127.0.0.1:16379/0"),
        ("redis://:pw@cache/0", "redis://:pw@127.0.0.1:16379/0"),
        ("redis://cache:6379,cache:6379/0", "redis://127.0.0.1:16379,127.0.0.1:16379/0"),
        ("http://api:8000/v1?x=http://api:8000", "http://127.0.0.1:18000/v1?x=http://127.0.0.1:18000"),
        ("http://api:8000,http://api:8000", "http://127.0.0.1:18000,http://127.0.0.1:18000"),
        ("tcp://api:8000", "tcp://127.0.0.1:18000"),
        ('{"url": "http://api:8000"}', '{"url": "http://127.0.0.1:18000"}'),
        ("jdbc:postgresql://db:5432/shop", "jdbc:postgresql://127.0.0.1:15432/shop"),
    ],
)  # fmt: skip
def test_the_host_of_a_url_is_translated(planning, postgres, redis, api, before, after):
    assert value(planning, before, postgres, redis, api) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("db:5432", "127.0.0.1:15432"),
        ("cache:6379,cache:6379", "127.0.0.1:16379,127.0.0.1:16379"),
        ("tcp db:5432 timeout", "tcp 127.0.0.1:15432 timeout"),
        ("//u:p@db:5432/x", "//u:p@127.0.0.1:15432/x"),
        ("(db:5432).", "(127.0.0.1:15432)."),
        ("host=db port=5432 dbname=shop", "host=127.0.0.1 port=15432 dbname=shop"),
        ("dbname=shop host=db", "dbname=shop host=127.0.0.1 port=15432"),
        ("Host=db;Port=5432;Database=x", "Host=127.0.0.1;Port=15432;Database=x"),
        ("postgresql:///x?host=db", "postgresql:///x?host=127.0.0.1&port=15432"),
    ],
)
def test_an_address_outside_a_url_is_translated(planning, postgres, redis, before, after):
    assert value(planning, before, postgres, redis) == after


@pytest.mark.parametrize(
    "text",
    [
        "http://myapi:8000",
        "http://api.example.com:8000/",
        "http://example.com/api:8000/x",
        "myapi:8000",
        "api-v2:8000",
        "my.api:8000",
        "api.example.com:8000",
        "somebody@api",
        "redis:7",
        "cache:7",
        "api",
        "the api is at port 8000",
        "/var/lib/api:8000",
        "db:54321",
        "db:5432@elsewhere",
        "localhost:9999",
        "sqlite:///db",
        "http://localhost:5432",
        "https://api.openai.com/v1",
        "12:34:56",
        "\U000f0000 db:5432",
    ],
)
def test_what_only_looks_like_a_service_is_left_alone(planning, postgres, redis, api, text):
    assert value(planning, text, postgres, redis, api) == text


@pytest.mark.parametrize("name", ["api", "shop-api", "api-host", "backend"])
def test_a_service_is_known_by_all_its_names(planning, name):
    api = planning.native(
        "api",
        expose=(8000,),
        container_name="shop-api",
        hostname="api-host",
        networks={"default": ("backend",)},
    )
    assert value(planning, f"http://{name}:8000", api) == "http://127.0.0.1:18000"


def test_a_port_that_only_an_address_names_counts_as_a_port_of_the_service(planning):
    backend = planning.native("backend")
    assert value(planning, "http://backend:3000/x", backend) == "http://127.0.0.1:13000/x"


def test_a_tag_after_a_name_is_no_port(planning):
    plan = planning.plan(
        planning.native("app", environment={"IMAGE": "api:7"}), planning.native("api")
    )
    assert plan.service("api").endpoints == ()


def test_a_port_that_a_command_asks_of_a_peer_is_not_its_own(planning, postgres):
    app = planning.native("app", command=("wait", "--host", "db", "--port", "5432"))
    assert planning.plan(app, postgres).service("app").endpoints == ()


def test_the_own_host_name_is_no_address_of_a_peer(planning, postgres):
    assert planning.environment({"HOSTNAME": "db"}, postgres) == {"HOSTNAME": "db"}


def test_a_url_without_a_port_that_is_known_is_left_alone_and_said(planning, api):
    plan = planning.plan(planning.native("app", environment={"API": "http://api/"}), api)
    assert plan.service("app").environment["API"] == "http://api/"
    assert any("API names api" in notice for notice in plan.notices)


def test_the_machine_itself_is_called_localhost(planning):
    assert value(planning, "http://host.docker.internal:9000") == "http://127.0.0.1:9000"


def test_a_published_port_on_localhost_is_where_it_is_now(planning):
    planning.configure(ports={"web": 18000})
    web = planning.native("web", ports=(Port(80, "8000"),))
    assert value(planning, "http://localhost:8000/x", web) == "http://localhost:18000/x"


# Separate variables for host and port


def test_a_host_and_a_port_variable_are_translated_together(planning, postgres):
    found = planning.environment({"DB_HOST": "db", "DB_PORT": "5432"}, postgres)
    assert found == {"DB_HOST": "127.0.0.1", "DB_PORT": "15432"}


def test_a_port_that_is_missing_is_added_for_libpq(planning, postgres):
    plan = planning.plan(planning.native("app", environment={"PGHOST": "db"}), postgres)
    assert plan.service("app").environment == {"PGHOST": "127.0.0.1", "PGPORT": "15432"}
    assert plan.notices == ()


def test_any_other_port_that_is_missing_is_added_and_said(planning, redis):
    plan = planning.plan(planning.native("app", environment={"REDIS_HOST": "cache"}), redis)
    assert plan.service("app").environment["REDIS_PORT"] == "16379"
    assert "REDIS_PORT=16379 was added" in plan.notices[0]


def test_a_port_variable_of_another_service_goes_by_its_host(planning, postgres):
    app = planning.native("app", expose=(5432,), environment={"DB_HOST": "db", "DB_PORT": "5432"})
    ports = {("app", 5432): 21000, ("db", 5432): 22000}
    assert (
        planning.plan(app, postgres, ports=ports).service("app").environment["DB_PORT"] == "22000"
    )


def test_host_and_port_of_a_stranger_are_left_alone(planning, postgres):
    given = {"MAIL_HOST": "mail.example.com", "MAIL_PORT": "5432"}
    found = planning.environment(given, postgres, expose=(5432,))
    assert found["MAIL_PORT"] == "5432"
    assert found["MAIL_HOST"] == "mail.example.com"


def test_a_name_that_happens_to_be_a_service_is_left_alone_where_no_host_is_meant(planning):
    postgres = Service(name="postgres", image="postgres:16")
    given = {"POSTGRES_USER": "postgres", "POSTGRES_DB": "postgres", "MODE": "app"}
    assert planning.environment(given, postgres) == given


def test_a_port_variable_with_the_name_of_a_service_is_that_services(planning, postgres):
    assert planning.environment({"DB_PORT": "5432"}, postgres) == {"DB_PORT": "15432"}


# A service's own port


def test_the_own_port_variable_is_translated(planning):
    assert planning.environment({"PORT": "8000"}) == {"PORT": "18000"}
    assert planning.environment({"HTTP_PORT": "8000"}, expose=(8000,)) == {"HTTP_PORT": "18000"}


def test_a_port_variable_of_something_else_is_left_alone(planning):
    found = planning.environment({"METRICS_PORT": "9999"}, expose=(8000,))
    assert found["METRICS_PORT"] == "9999"


def test_the_address_that_means_every_interface_becomes_this_machines(planning):
    given = {"BIND": "0.0.0.0", "HOST": "::", "NO_PROXY": "0.0.0.0", "LISTEN": "0.0.0.0:8000"}
    assert planning.environment(given, expose=(8000,)) == {
        "BIND": "127.0.0.1",
        "HOST": "127.0.0.1",
        "NO_PROXY": "0.0.0.0",
        "LISTEN": "127.0.0.1:18000",
    }


def test_options_in_a_variable_are_translated_like_a_command(planning):
    found = planning.environment({"GUNICORN_CMD_ARGS": "--bind 0.0.0.0:8000 -w 2"})
    assert found == {"GUNICORN_CMD_ARGS": "--bind 0.0.0.0:8000 -w 2"}
    found = planning.environment({"GUNICORN_CMD_ARGS": "--bind 0.0.0.0:8000 -w 2"}, expose=(8000,))
    assert found == {"GUNICORN_CMD_ARGS": "--bind 127.0.0.1:18000 -w 2"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("uvicorn a:b --host 0.0.0.0 --port 8000", "uvicorn a:b --host 127.0.0.1 --port 18000"),
        ("uvicorn a:b --host=0.0.0.0 --port=8000", "uvicorn a:b --host=127.0.0.1 --port=18000"),
        ("uvicorn a:b --host :: --port 8000", "uvicorn a:b --host 127.0.0.1 --port 18000"),
        ("gunicorn -b 0.0.0.0:8000 a", "gunicorn -b 127.0.0.1:18000 a"),
        ("gunicorn --bind=0.0.0.0:8000 a", "gunicorn --bind=127.0.0.1:18000 a"),
        ("gunicorn --bind [::]:8000 a", "gunicorn --bind 127.0.0.1:18000 a"),
        ("serve -l :8000", "serve -l 127.0.0.1:18000"),
        ("flask run -p 8000", "flask run -p 18000"),
        ("streamlit run --server.port=8000", "streamlit run --server.port=18000"),
        ("manage.py runserver 8000", "manage.py runserver 18000"),
        ("manage.py runserver 0.0.0.0:8000", "manage.py runserver 127.0.0.1:18000"),
        ("python -m http.server 8000", "python -m http.server 18000"),
        ("worker --timeout 8000 --count 8000", "worker --timeout 8000 --count 8000"),
        ("server --metrics-port 9000", "server --metrics-port 9000"),
        ("allow 0.0.0.0/0", "allow 0.0.0.0/0"),
    ],
)
def test_the_port_that_a_command_listens_on_is_translated(planning, before, after):
    assert planning.command(tuple(before.split()), expose=(8000,)) == tuple(after.split())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("exec uvicorn a:b --port 8000", "exec uvicorn a:b --port 18000"),
        ("uvicorn a:b --port ${PORT:-8000}", "uvicorn a:b --port ${PORT:-18000}"),
        ("uvicorn --port 8000; echo done", "uvicorn --port 18000; echo done"),
    ],
)
def test_the_same_is_done_inside_a_shell_text(planning, before, after):
    assert planning.command(("sh", "-c", before), expose=(8000,)) == ("sh", "-c", after)


def test_a_port_that_only_the_own_command_names_is_a_port_of_the_service(planning):
    plan = planning.plan(planning.native("app", command=("serve", "--port", "7000")))
    assert [(one.target, one.port) for one in plan.service("app").endpoints] == [(7000, 17000)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("wait-for-it db:5432 -- serve", "wait-for-it 127.0.0.1:15432 -- serve"),
        ("nc -z db 5432", "nc -z 127.0.0.1 15432"),
        ("psql -h db -p 5432 shop", "psql -h 127.0.0.1 -p 15432 shop"),
        ("app --db-host=db --db-port=5432", "app --db-host=127.0.0.1 --db-port=15432"),
        ("pg_isready -h db", "pg_isready -h 127.0.0.1 -p 15432"),
        ("app --name db 1", "app --name db 1"),
        ("my-h db", "my-h db"),
    ],
)
def test_a_peer_in_a_command_is_translated(planning, postgres, before, after):
    assert planning.command(tuple(before.split()), postgres) == tuple(after.split())
    shell = planning.command(("sh", "-c", f"set -e; {before}"), postgres)
    assert shell == ("sh", "-c", f"set -e; {after}")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("serve", {"PORT": "18000"}),
        ("uvicorn app:app", {"PORT": "18000", "UVICORN_PORT": "18000"}),
        ("flask run", {"PORT": "18000", "FLASK_RUN_PORT": "18000"}),
        ("uvicorn app:app --port 8000", {}),
    ],
)
def test_a_program_whose_port_is_named_nowhere_is_told_it(planning, command, expected):
    app = planning.native("app", command=tuple(command.split()), expose=(8000,))
    plan = planning.plan(app)
    assert plan.service("app").environment == expected
    assert any("names its port 8000" in one for one in plan.notices) == bool(expected)


def test_an_address_that_is_handed_to_others_does_not_tell_the_program_its_port(planning):
    found = planning.environment({"PUBLIC": "localhost:8000"}, expose=(8000,))
    assert found == {"PUBLIC": "localhost:18000", "PORT": "18000"}


def test_a_program_that_keeps_its_port_is_told_nothing(planning):
    planning.configure(ports={"app": 8000})
    assert planning.environment({}, expose=(8000,)) == {}


def test_a_number_is_never_translated_twice(planning):
    """The host port of one service may be the container port of another."""
    api = planning.native("api", expose=(8001,))
    app = planning.native(
        "app", expose=(8000,), environment={"A": "http://api:8001 localhost:8000"}
    )
    ports = {("app", 8000): 8001, ("api", 8001): 8000}
    plan = planning.plan(app, api, ports=ports)
    assert plan.service("app").environment["A"] == "http://127.0.0.1:8000 localhost:8001"


def test_what_was_translated_is_recorded_with_place_and_rule(planning, postgres):
    app = planning.native("app", environment={"URL": "postgres://db/x"}, command=("a", "db:5432"))
    first, second = planning.plan(app, postgres).translations
    assert (first.service, first.place, first.rule) == ("app", "environment URL", "url")
    assert (first.before, first.after) == ("postgres://db/x", "postgres://127.0.0.1:15432/x")
    assert (second.place, second.rule) == ("command[1]", "address")


def test_containers_get_everything_as_it_was_written(planning, postgres):
    app = Service(name="app", image="x", environment={"URL": "postgres://db/x"}, command=("a",))
    plan = planning.plan(app, postgres, engine="compose")
    assert plan.service("app").environment == {"URL": "postgres://db/x"}
    assert plan.translations == ()


@pytest.mark.parametrize("name", ["RABBITMQ_DEFAULT_VHOST", "AMQP_VHOST", "vhost"])
def test_a_virtual_host_of_a_broker_is_no_host_though_a_service_has_its_name(planning, name):
    broker = Service(name="mq", image="rabbitmq:3")
    assert planning.environment({name: "mq"}, broker) == {name: "mq"}
