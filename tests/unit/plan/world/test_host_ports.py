"""Which ports of this machine the services of a private world reach by its name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.plan.world.host_ports import host_ports
from stackproof.stack_file.model import Port


def planned(planning, *external, hermetic=False, world="private", **service):
    planning.configure(external=external, hermetic=hermetic)
    return planning.plan(planning.native("app", **service), world=world)


@pytest.mark.parametrize(
    ("external", "ports"),
    [
        (("host.docker.internal:9000",), {9000: 9000}),
        (("Host.Docker.Internal:9000", "host.containers.internal:9000"), {9000: 9000}),
        (("api:9000", "localhost:9000", "127.0.0.1:9000", "*.internal"), {}),
        (("host.docker.internal", "host.docker.internal:x", "host.docker.internal:0"), {}),
    ],
)
def test_those_are_reached_that_external_names_by_a_name_of_this_machine(planning, external, ports):
    assert host_ports(planned(planning, *external)) == ports


def test_a_name_that_the_stack_file_gives_this_machine_is_one_of_its_names(planning):
    plan = planned(
        planning, "laptop:9000", "db:5432", extra_hosts=("laptop=host-gateway", "db=10.0.0.1")
    )
    assert host_ports(plan) == {9000: 9000}


def test_a_published_port_is_reached_by_its_number_in_the_stack_file_in_each_copy(planning):
    app = planning.native("app", ports=(Port(8000, "80"),))
    plan = planning.plan(app, ports={("app", 8000): 18000}, world="private")
    assert host_ports(plan) == {80: 18000}


@pytest.mark.parametrize("how", [{"hermetic": True}, {"world": "host"}])
def test_none_is_reached_where_nothing_leaves_the_stack_or_nothing_is_private(planning, how):
    assert host_ports(planned(planning, "host.docker.internal:9000", **how)) == {}


def test_a_name_without_a_port_opens_nothing_and_is_told(planning):
    plan = planned(planning, "host.docker.internal")
    assert host_ports(plan) == {}
    assert [one for one in plan.notices if "write host.docker.internal:9000" in one]


@given(st.lists(st.text("host.docker.internal:0123456789- ", max_size=30), max_size=4))
def test_whatever_is_written_only_ports_are_opened(external):
    from types import SimpleNamespace

    addresses = SimpleNamespace(published={})
    plan = SimpleNamespace(
        world="private", hermetic=False, external=external, services=(), addresses=addresses
    )
    assert all(0 < port == here < 65536 for port, here in host_ports(plan).items())
