import pytest

from stackproof.database import refuse_foreign_databases, require_marker
from stackproof.errors import Refused
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.stack import Stack


def plan_with(**environment):
    services = (
        ServicePlan(
            "postgres",
            (),
            {"POSTGRES_DB": "shop_e2e"},
            endpoints=(Endpoint("postgres", 5432, "127.0.0.1", 15432, "postgresql"),),
        ),
        ServicePlan("api", ("serve",), environment),
    )
    return Plan("shop", "shop-e2e", "process", run_folder=None, services=services)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@127.0.0.1:15432/shop_e2e",
        "postgresql+psycopg://u:p@127.0.0.1:15432/shop_e2e?sslmode=disable",
        "postgres://u@postgres:5432/shop_e2e",
        "postgres://u@postgres/shop_e2e",
    ],
)
def test_the_stacks_own_database_is_accepted(url):
    refuse_foreign_databases(plan_with(DATABASE_URL=url), "api", database="shop_e2e")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@127.0.0.1:5432/shop_e2e",
        "postgresql://u:p@db.example.com/shop_e2e",
        "POSTGRES://u:p@10.0.0.5:15432/shop_e2e",
        "postgresql://u:p@localhost:99999/shop_e2e",
    ],
)
def test_a_server_that_stackproof_did_not_start_is_refused_before_connecting(url):
    with pytest.raises(Refused, match="DATABASE_URL of api leads to a database"):
        refuse_foreign_databases(plan_with(DATABASE_URL=url), "api", database="shop_e2e")


@pytest.mark.parametrize("name", ["shop", "shop_e2e_prod", "", "test"])
def test_a_name_that_may_be_somebodys_own_is_refused(name):
    url = f"postgresql://u:p@127.0.0.1:15432/{name}"
    with pytest.raises(Refused, match="which may be somebody's own"):
        refuse_foreign_databases(plan_with(DATABASE_URL=url), "api", database=None)


def test_another_database_than_the_configured_one_is_refused():
    url = "postgresql://u:p@127.0.0.1:15432/other_e2e"
    with pytest.raises(Refused, match="the configuration says 'shop_e2e'"):
        refuse_foreign_databases(plan_with(DATABASE_URL=url), "api", database="shop_e2e")


def test_separate_variables_are_looked_at_as_well():
    environment = {"PGHOST": "prod.example.com", "PGPORT": "5432", "PGDATABASE": "shop_e2e"}
    with pytest.raises(Refused, match="PGHOST of api"):
        refuse_foreign_databases(plan_with(**environment), "api", database="shop_e2e")


def test_values_that_are_no_database_urls_are_not_looked_at():
    refuse_foreign_databases(
        plan_with(HOME="/x", API="http://example.com/db"), "api", database="shop_e2e"
    )


class Answering:
    def __init__(self, code, out):
        self.code, self.out = code, out

    def execute(self, _service, _argv, streams, **_options):
        import os

        os.write(streams.stdout, self.out)
        return self.code


def test_a_database_with_the_marker_may_be_touched():
    require_marker(Stack(plan_with(), Answering(0, b"stackproof\n")), "seed")


@pytest.mark.parametrize(("code", "out"), [(0, b""), (1, b"")], ids=["empty table", "no table"])
def test_a_database_without_the_marker_is_refused_with_both_ways_out(code, out):
    with pytest.raises(Refused, match=r"seed is refused: .*no stackproof marker") as caught:
        require_marker(Stack(plan_with(), Answering(code, out)), "seed")
    assert "invoke up --fresh" in caught.value.remedy
