"""One error lists all that a stack would reach outside of itself, and never shows a password."""

import pytest

from stackproof.errors import Refused
from stackproof.plan.addressing.guard import refuse_foreign_targets, refuse_other_database
from stackproof.plan.model import PlannedCommand
from stackproof.settings.model import Database
from stackproof.stack_file.model import Service


@pytest.fixture
def stack(planning, postgres, redis):
    """Plans a stack whose service `api` has an environment; further values are the service's."""

    def plan(environment, engine="process", **values):
        api = (
            planning.native("api", environment=environment, **values)
            if engine == "process"
            else Service(name="api", image="shop", environment=environment, **values)
        )
        return planning.plan(api, postgres, redis, engine=engine)

    return plan


OWN = {
    "DATABASE_URL": "postgresql+psycopg://u:p@db:5432/shop_e2e",
    "REDIS_URL": "redis://cache:6379/0",
    "SEVERAL": "postgresql://u:p@db:5432,db:5432/shop_e2e",
    "DSN": "host=db dbname=shop_e2e",
    "JDBC": "jdbc:postgresql://db/shop_e2e",
    "DB_HOST": "db",
    "DB_NAME": "shop_e2e",
    "PUBLIC": "http://localhost:3000",
}


@pytest.mark.parametrize("engine", ["process", "compose"])
def test_a_stack_that_keeps_to_itself_passes_on_both_engines(stack, engine):
    refuse_foreign_targets(stack(OWN, engine), "up")


def test_several_hosts_are_each_translated_and_accepted(stack):
    plan = stack(OWN)
    assert plan.service("api").environment["SEVERAL"] == (
        "postgresql://u:p@127.0.0.1:15432,127.0.0.1:15432/shop_e2e"
    )


@pytest.mark.parametrize("engine", ["process", "compose"])
def test_one_error_lists_every_place_and_the_line_that_allows_them(planning, stack, engine):
    planning.configure(external=("mail.example",))
    plan = stack(
        {
            "DATABASE_URL": "postgresql://shop:hunter2@prod.example/shop",
            "PAYMENTS": "https://key:hunter2@payments.example/v1",
            "MAIL": "smtp://mail.example:587",
            "OWN": "redis://:hunter2@cache/0",
        },
        engine,
    )
    with pytest.raises(Refused) as caught:
        refuse_foreign_targets(plan, "up")
    text = str(caught.value)
    assert caught.value.what == "up is refused: 2 addresses of its services are not the stack's own"
    assert "api: DATABASE_URL leads to prod.example:5432" in caught.value.observed
    assert "api: PAYMENTS leads to payments.example:443" in caught.value.observed
    assert "`external: [mail.example, prod.example, payments.example]`" in caught.value.remedy
    assert "config/shop.yaml" in caught.value.remedy
    assert "hunter2" not in text


def test_the_line_that_allows_a_server_of_this_machine_names_its_port_and_is_yaml(planning, stack):
    environment = {"A": "postgresql://localhost:5433/shop_e2e", "B": "http://[2001:db8::1]:80"}
    with pytest.raises(Refused) as caught:
        refuse_foreign_targets(stack(environment), "up")
    assert '`external: ["localhost:5433", "2001:db8::1"]`' in caught.value.remedy
    planning.configure(external=("localhost:5433", "2001:db8::1"))
    refuse_foreign_targets(stack(environment), "up")


def test_a_name_that_may_be_somebodys_own_is_refused_beside_them(stack):
    with pytest.raises(Refused) as caught:
        refuse_foreign_targets(stack({"A": "postgresql://u:p@db/shop"}), "seed")
    assert "api: A names the database 'shop'" in caught.value.observed
    assert "_e2e or _test" in caught.value.remedy
    assert "external" not in caught.value.remedy


def test_a_password_that_no_library_reads_is_told_without_a_part_of_it(stack):
    plan = stack({"A": "postgresql://u:hunter2@ss/word@db/shop_e2e"})
    with pytest.raises(Refused) as caught:
        refuse_foreign_targets(plan, "up")
    assert "api: A can't be read for certain (postgresql://…)" in caught.value.observed
    assert caught.value.remedy == "write @ as %40 and / as %2F in user and password"
    assert not [part for part in ("hunter2", "ss:", "word@") if part in str(caught.value)]


def test_down_says_how_the_stack_goes_all_the_same(stack):
    with pytest.raises(Refused, match="down --force"):
        refuse_foreign_targets(stack({"A": "redis://prod.example"}), "down")


def test_on_the_process_engine_the_machine_itself_is_judged_as_written(planning, stack):
    environment = {"A": "http://host.docker.internal:9000"}
    with pytest.raises(Refused, match=r'external: \["host.docker.internal:9000"\]'):
        refuse_foreign_targets(stack(environment), "up")
    planning.configure(external=("host.docker.internal:9000",))
    refuse_foreign_targets(stack(environment), "up")


def test_an_allowed_server_is_written_to_only_if_its_database_may_be_lost(planning, stack):
    from stackproof.settings.model import Command

    planning.configure(external=("prod.example",), seed=(Command("api", ("load",)),))
    plan = stack({"A": "postgresql://u:p@prod.example/shop"})
    assert plan.seed == (PlannedCommand("api", ("load",)),)
    refuse_foreign_targets(plan, "up")
    refuse_foreign_targets(plan, "down")
    with pytest.raises(Refused, match="names the database 'shop'"):
        refuse_foreign_targets(plan, "seed")


def test_the_commands_of_migrate_and_seed_are_judged_before_anything_starts(planning, stack):
    from stackproof.settings.model import Command

    planning.configure(seed=(Command("api", ("psql", "-h", "prod.example", "shop_e2e")),))
    with pytest.raises(Refused, match=r"api: seed leads to prod\.example:5432"):
        refuse_foreign_targets(stack({}), "up")


@pytest.mark.parametrize("engine", ["process", "compose"])
@pytest.mark.parametrize("where", [[], ["-h", "localhost"], ["-h", "127.0.0.1"]])
def test_in_a_database_service_psql_asks_the_service_itself(planning, postgres, engine, where):
    from stackproof.settings.model import Command

    psql = ("psql", *where, "-d")
    planning.configure(migrate=(Command("db", (*psql, "shop_e2e", "-f", "x.sql")),))
    refuse_foreign_targets(planning.plan(postgres, engine=engine), "up")
    planning.configure(migrate=(Command("db", (*psql, "shop", "-f", "x.sql")),))
    with pytest.raises(Refused, match="db: migrate names the database 'shop'"):
        refuse_foreign_targets(planning.plan(postgres, engine=engine), "up")


@pytest.mark.parametrize("action", ["up", "down"])
@pytest.mark.parametrize("engine", ["process", "compose"])
def test_without_a_configured_database_a_stack_starts_with_any_name_of_its_own(
    stack, engine, action
):
    plan = stack({"DATABASE_URL": "postgresql://u:p@db/shop"}, engine)
    refuse_foreign_targets(plan, action)
    with pytest.raises(Refused, match="DATABASE_URL names the database 'shop'"):
        refuse_foreign_targets(plan, "migrate")


def test_with_a_configured_database_a_stack_needs_a_safe_name_to_start(planning):
    planning.configure(database=Database("db", "shop_e2e"))
    api = planning.native("api", environment={"URL": "postgresql://u:p@db/shop"})
    db = Service(name="db", image="postgres:16", environment={"POSTGRES_DB": "shop_e2e"})
    with pytest.raises(Refused, match="URL names the database 'shop'"):
        refuse_foreign_targets(planning.plan(api, db), "up")


def test_a_command_that_works_on_another_database_than_the_configured_one_is_refused(
    planning, stack
):
    planning.configure(database=Database("db", "shop_e2e"))
    api = planning.native("api", environment={"URL": "postgresql://u:p@db/other_e2e"})
    db = Service(name="db", image="postgres:16", environment={"POSTGRES_DB": "shop_e2e"})
    with pytest.raises(Refused, match="names the database 'other_e2e', but the configuration"):
        refuse_other_database(planning.plan(api, db), "api")
    both = {"URL": "postgresql://u:p@db/other_e2e", "MAIN": "postgresql://u:p@db/shop_e2e"}
    refuse_other_database(planning.plan(planning.native("api", environment=both), db), "api")


def test_an_alias_of_links_is_a_name_of_the_stack(planning, postgres):
    api = planning.native("api", environment={"DB_HOST": "database"}, links={"database": "db"})
    plan = planning.plan(api, postgres)
    assert plan.service("api").environment["DB_HOST"] == "127.0.0.1"
    refuse_foreign_targets(plan, "up")
