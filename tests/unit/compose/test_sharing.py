"""Containers of another run in the networks of a stack that shares them."""

import pytest
from docker.errors import APIError, NotFound
from requests import Response

from stackproof.engines.compose.sharing import join_networks, remove_network
from stackproof.errors import NoStack
from stackproof.plan.model import Plan

LABELS = ["dev.stackproof.project=servers", "com.docker.compose.service=db"]


def conflict():
    response = Response()
    response.status_code = 403
    return APIError("has active endpoints", response=response)


class FakeEngine:
    """A Docker Engine with one shared container, and one network that containers are in."""

    def __init__(self, *, containers=({"Id": "c1"},), inside=(), missing=()):
        self.api = self
        self.found = list(containers)
        self.inside = dict(inside)
        self.missing = missing
        self.joined = []
        self.removed = []

    def containers(self, filters):
        assert filters == {"label": LABELS}
        return self.found

    def connect_container_to_network(self, container, network, aliases):
        if network in self.missing:
            raise NotFound("no such network")
        self.joined.append((container, network, aliases))

    def remove_network(self, network):
        if self.inside:
            raise conflict()
        self.removed.append(network)

    def inspect_network(self, network):
        return {"Containers": dict.fromkeys(self.inside)}

    def inspect_container(self, container):
        return {"Name": f"/{container}", "Config": {"Labels": self.inside[container]}}

    def disconnect_container_from_network(self, container, network, force):
        assert force
        del self.inside[container]


def join(engine, **service):
    plan = Plan("shop", "shop-1", "compose", None, (), elsewhere={"db": "servers"})
    networks = {"default": {}, "back": {}, "world": {"external": True}}
    join_networks(engine, plan, {"services": {"db": service}, "networks": networks})
    return engine.joined


def test_a_shared_container_is_reached_by_the_name_of_its_service():
    assert join(FakeEngine()) == [("c1", "shop-1_default", ["db"])]


def test_it_has_all_names_of_the_stack_file_in_each_of_its_networks():
    networks = {"default": None, "back": {"aliases": ["database", "db"]}}
    assert join(FakeEngine(), networks=networks, hostname="host", container_name="box") == [
        ("c1", "shop-1_default", ["db", "box", "host"]),
        ("c1", "shop-1_back", ["db", "box", "host", "database"]),
    ]


def test_networks_that_nobody_needs_are_left_and_an_external_one_is_the_copys_own():
    engine = FakeEngine(missing=("shop-1_back",))
    assert join(engine, networks={"world": None, "back": None}) == [("c1", "shop-1_world", ["db"])]


def test_a_server_that_is_gone_is_told():
    with pytest.raises(NoStack, match="db of servers, which is shared, has no container"):
        join(FakeEngine(containers=()))


def test_a_network_is_removed_though_shared_servers_are_in_it():
    engine = FakeEngine(inside={"c1": {"dev.stackproof.run": "other"}})
    remove_network(engine, "n1")
    assert engine.removed == ["n1"]


def test_a_strangers_container_stays_in_its_network_and_is_named():
    engine = FakeEngine(inside={"theirs": None, "c1": {"dev.stackproof.run": "other"}})
    with pytest.raises(APIError, match="in use by theirs"):
        remove_network(engine, "n1")
    assert list(engine.inside) == ["theirs"]
