"""A configured database that the stack file does not make is refused while planning."""

import pytest

from stackproof.errors import ConfigError
from stackproof.settings.model import Database, Origin
from stackproof.stack_file.model import Service


def database(**environment):
    return Service(name="db", image="postgres:16", environment=environment)


@pytest.fixture
def configured(planning):
    origins = {("database", "name"): Origin("config/shop.yaml", 7)}
    planning.configure(database=Database("db", "app_e2e"), origins=origins)
    planning.located("services.db.environment.POSTGRES_DB", 12)
    planning.located("services.db", 9)
    return planning


@pytest.mark.parametrize("engine", ["process", "compose"])
@pytest.mark.parametrize(
    ("environment", "made", "line"),
    [
        ({"POSTGRES_DB": "app"}, "app", 12),
        ({"POSTGRES_USER": "app", "POSTGRES_DB": ""}, "app", 12),
        ({}, "postgres", 12),
    ],
)
def test_both_lines_are_named(configured, engine, environment, made, line):
    with pytest.raises(ConfigError) as caught:
        configured.plan(database(**environment), engine=engine)
    assert str(caught.value).startswith(
        f"config/shop.yaml:7: database.name: the database is 'app_e2e', but db makes {made!r}"
    )
    assert f"compose.yaml:{line}" in caught.value.observed
    assert "POSTGRES_DB: app_e2e" in caught.value.remedy


@pytest.mark.parametrize("engine", ["process", "compose"])
def test_a_database_that_is_made_passes(configured, engine):
    configured.plan(database(POSTGRES_DB="app_e2e"), engine=engine)
    configured.plan(database(POSTGRES_USER="app_e2e"), engine=engine)


def test_the_environment_of_the_stack_config_counts(configured):
    configured.configure(environment={"db": {"POSTGRES_DB": "app_e2e"}})
    configured.plan(database(POSTGRES_DB="app"))
    configured.configure(environment={"db": {"POSTGRES_DB": "other"}})
    with pytest.raises(ConfigError, match="db makes 'other'"):
        configured.plan(database(POSTGRES_DB="app_e2e"))


def test_the_database_of_mysql_counts(configured):
    service = Service(name="db", image="mysql:8", environment={"MYSQL_DATABASE": "app"})
    with pytest.raises(ConfigError, match="db makes 'app'"):
        configured.plan(service, engine="compose")


def test_a_stack_without_a_configured_database_makes_what_it_likes(planning):
    planning.plan(database(POSTGRES_DB="app"))
