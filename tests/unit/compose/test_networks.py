"""Networks of a copy: a range that nothing depends on is free to change, any other one must be."""

from pathlib import Path

import pytest

from stackproof.engines.compose.model import effective_model
from stackproof.engines.compose.networks import new_ranges, refuse_taken_ranges
from stackproof.errors import Refused
from stackproof.plan.model import Plan, ServicePlan

LABELS = {"dev.stackproof.run": "3f2a"}
LAN = {"ipam": {"config": [{"subnet": "172.30.0.0/16", "gateway": "172.30.0.1"}]}}
DEV = {"Name": "dev_lan", "IPAM": {"Config": [{"Subnet": "172.30.0.0/16"}]}}


def resolved(network=LAN, **service):
    return {"services": {"web": service}, "networks": {"lan": network}}


def model(written):
    environment = written["services"]["web"].get("environment", {})
    web = ServicePlan("web", (), environment, image="web:1")
    plan = Plan("shop", "shop-e2e", "compose", Path("/run"), (web,))
    return effective_model(written, plan, LABELS, "1.44")


def test_a_range_that_nothing_depends_on_is_dockers_to_choose_and_that_is_said():
    written = resolved(networks={"lan": None})
    networks = model(written)["networks"]
    assert networks["lan"]["ipam"]["config"] == []
    refuse_taken_ranges([DEV], networks)
    assert list(new_ranges([DEV], written, networks)) == [
        "the network lan gets a free range of addresses, not 172.30.0.0/16"
    ]


def test_it_is_said_once_only():
    written = resolved(networks={"lan": None})
    networks = model(written)["networks"]
    assert list(new_ranges([{"Name": "shop-e2e_lan"}], written, networks)) == []


@pytest.mark.parametrize(
    "service",
    [
        {"networks": {"lan": {"ipv4_address": "172.30.0.9"}}},
        {"environment": {"TRUSTED": "10.0.0.0/8,172.30.0.0/16"}},
        {"extra_hosts": ["db=172.30.3.4"]},
    ],
)
def test_a_range_that_a_service_depends_on_is_kept_and_refused_where_it_is_taken(service):
    networks = model(resolved(**service))["networks"]
    assert networks["lan"]["ipam"] == LAN["ipam"]
    refuse_taken_ranges([{"Name": "bridge", "IPAM": {"Config": None}}], networks)
    refuse_taken_ranges([{**DEV, "Name": "shop-e2e_lan"}], networks)
    with pytest.raises(Refused, match=r"network dev_lan has 172\.30\.0\.0/16"):
        refuse_taken_ranges([DEV], networks)


@pytest.mark.parametrize("network", [{"driver": "macvlan", **LAN}, {"external": True, "name": "x"}])
def test_a_network_of_others_is_replaced_with_the_addresses_in_it(network):
    own = model(resolved(network, networks={"lan": {"ipv4_address": "1.2.3.4", "aliases": ["a"]}}))
    assert own["networks"]["lan"] == {"name": "shop-e2e_lan", "labels": LABELS}
    assert own["services"]["web"]["networks"] == {"lan": {"aliases": ["a"]}}
