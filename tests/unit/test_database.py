import pytest

from stackproof.database import require_marker
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
