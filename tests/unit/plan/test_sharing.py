"""What a stack has in place of the names of servers that it shares with other stacks."""

from dataclasses import replace

import pytest

from stackproof.errors import ConfigError
from stackproof.plan import make_plan, shared_needs
from stackproof.plan.sharing.sharing import SHARED_RULE, SharedPart
from stackproof.stack_file.model import Dependency, Service

OWN = "shop_1a2b3c4d_e2e"
PARTS = {
    "db": SharedPart("db", "servers", {5432: 40001}, database=OWN),
    "cache": SharedPart("cache", "servers", {6379: 40002}, first_index=4),
}
DATABASE = Service(name="db", image="postgres:16", environment={"POSTGRES_DB": "shop_e2e"})
CACHE = Service(name="cache", image="redis:7")


@pytest.fixture
def shared(planning):
    """Makes the plan of a stack that shares `db` and `cache`."""

    def make(*services, parts=PARTS, engine="process"):
        services = (*services, DATABASE, CACHE)
        ports = planning.free_ports(*services)
        lent = {("db", 5432): 40001, ("cache", 6379): 40002}
        return make_plan(
            planning.settings, planning.stack_file(*services), engine=engine,
            run_folder=planning.root, ports={**ports, **lent}, shared=parts,
        )  # fmt: skip

    return make


@pytest.fixture
def value(planning, shared):
    """What becomes of the value of a variable `X` beside others."""

    def of(text, name="X", **others):
        app = planning.native("app", environment={name: text, **others})
        return shared(app).service("app").environment[name]

    return of


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("postgresql://u:p@db:5432/shop_e2e", f"postgresql://u:p@127.0.0.1:40001/{OWN}"),
        ("postgresql+psycopg://u@db/shop_e2e?a=b", f"postgresql+psycopg://u@127.0.0.1:40001/{OWN}?a=b"),
        ("jdbc:postgresql://db:5432/shop_e2e", f"jdbc:postgresql://127.0.0.1:40001/{OWN}"),
        ("postgresql://shop_e2e:p@db:5432/shop_e2e", f"postgresql://shop_e2e:p@127.0.0.1:40001/{OWN}"),
        ("postgresql://u:p@s/w@db:5432/shop_e2e", f"postgresql://u:p@s/w@127.0.0.1:40001/{OWN}"),
        ("host=db port=5432 dbname=shop_e2e", f"host=127.0.0.1 port=40001 dbname={OWN}"),
        ("redis://cache:6379/0", "redis://127.0.0.1:40002/4"),
        ("redis://cache:6379/2", "redis://127.0.0.1:40002/6"),
        ("redis://:pw@cache", "redis://:pw@127.0.0.1:40002/4"),
        ("redis://cache:6379?db=1", "redis://127.0.0.1:40002?db=5"),
        ('{"url": "redis://cache:6379/0"}', '{"url": "redis://127.0.0.1:40002/4"}'),
        ("https://example.org/shop_e2e_docs", "https://example.org/shop_e2e_docs"),
        ("postgresql://u@elsewhere:5432/other", "postgresql://u@elsewhere:5432/other"),
    ],
)  # fmt: skip
def test_an_address_gets_the_stacks_own_part(value, before, after):
    assert value(before) == after


def test_a_variable_that_is_called_after_a_database_gets_its_name(value):
    assert value("shop_e2e", "PGDATABASE", PGHOST="db") == OWN
    assert value("shop_e2e", "APP_DB_NAME") == OWN


def test_a_user_who_is_called_as_the_database_stays(value):
    assert value("shop_e2e", "PGUSER") == "shop_e2e"


def test_a_logical_database_beside_a_host_is_moved(value):
    assert value("1", "REDIS_CACHE_DB", REDIS_HOST="cache") == "5"


def test_commands_are_rewritten_too(planning, shared):
    argv = ("serve", "--dbname", "shop_e2e", "--broker", "redis://cache:6379/0")
    plan = shared(planning.native("app", command=argv))
    assert plan.service("app").argv == (
        "serve", "--dbname", OWN, "--broker", "redis://127.0.0.1:40002/4"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "observed"),
    [
        ({"X": "postgresql://u@db/postgres"}, "names the database 'postgres', not 'shop_e2e'"),
        ({"X": "postgresql://u@db"}, "names the database '', not 'shop_e2e'"),
        ({"BUCKET": "shop_e2e"}, "can't tell whether 'shop_e2e' is the name"),
        ({"X": "tables of shop_e2e"}, "can't tell whether 'shop_e2e' is the name"),
        ({"PGHOST": "db"}, "no variable names its database shop_e2e"),
        ({"X": "tcp://cache:6379"}, "names no logical database"),
        ({"X": "redis://cache:6379/queue"}, "names no logical database"),
        ({"X": "cache:6379"}, "named there without a logical database"),
        ({"REDIS_HOST": "cache"}, "no variable names the logical database"),
    ],
)
def test_what_is_not_certain_is_an_error_at_its_place(planning, shared, environment, observed):
    planning.located(f"services.app.environment.{next(iter(environment))}", 12)
    with pytest.raises(ConfigError, match=r"app can't be isolated on a shared (db|cache)") as told:
        shared(planning.native("app", environment=environment))
    assert observed in str(told.value)
    assert "compose.yaml:12" in str(told.value)
    assert "remove" in str(told.value)


def test_no_password_stands_in_an_error(planning, shared):
    environment = {"X": "postgresql://u:canary-1234@db/other"}
    with pytest.raises(ConfigError) as told:
        shared(planning.native("app", environment=environment))
    assert "canary" not in str(told.value)


def test_the_servers_are_named_and_not_started(planning, shared):
    app = planning.native("app", depends_on={"db": Dependency("service_healthy")})
    plan = shared(app)
    assert [one.name for one in plan.services if one.shared] == ["db", "cache"]
    assert [one.name for one in plan.unshared.services] == ["app"]
    assert plan.unshared.elsewhere == {"db": "servers", "cache": "servers"}
    assert plan.service("db").environment["POSTGRES_DB"] == OWN


def test_each_change_is_told(planning, shared):
    plan = shared(planning.native("app", environment={"X": "redis://cache:6379/0"}))
    told = [(one.service, one.place, one.after) for one in plan.translations
            if one.rule == SHARED_RULE]  # fmt: skip
    assert ("app", "environment X", "redis://cache:6379/4") in told
    assert ("db", "environment POSTGRES_DB", OWN) in told


def needs(planning, *services, names=("db", "cache")):
    file = planning.stack_file(*services)
    return {
        one.service: one
        for one in shared_needs(planning.settings, file, engine="process", names=names)
    }


def test_what_is_needed_of_the_servers_is_read_from_the_stack_file(planning):
    app = planning.native("app", environment={"A": "redis://cache/0", "B": "redis://cache/3"})
    cache = replace(CACHE, command=("redis-server", "--requirepass", "hush"))
    found = needs(planning, app, DATABASE, cache)
    assert found["db"].database == "shop_e2e"
    assert (found["cache"].indexes, found["cache"].password) == (4, "hush")


@pytest.mark.parametrize(
    ("service", "problem"),
    [
        (Service(name="db", image="postgres:16"), "'postgres' may hold somebody's data"),
        (Service(name="db", command=("x",), extension={"project": "."}), "can't be shared"),
        (Service(name="db", image="rabbitmq:3"), "can't be shared"),
    ],
)
def test_what_can_not_be_divided_is_refused(planning, service, problem):
    with pytest.raises(ConfigError, match=problem):
        needs(planning, service, names=("db",))


def test_two_servers_whose_databases_have_one_name_are_refused(planning):
    with pytest.raises(ConfigError, match="db and other can't both be shared"):
        needs(planning, DATABASE, replace(DATABASE, name="other"), names=("db", "other"))


def test_a_database_that_is_called_after_its_user_gets_a_name_too(planning):
    database = replace(DATABASE, environment={"POSTGRES_USER": "shop_e2e"})
    services = (database, CACHE)
    plan = make_plan(
        planning.settings, planning.stack_file(*services), engine="process",
        run_folder=planning.root, ports=planning.free_ports(*services), shared=PARTS,
    )  # fmt: skip
    assert plan.service("db").environment == {"POSTGRES_USER": "shop_e2e", "POSTGRES_DB": OWN}
