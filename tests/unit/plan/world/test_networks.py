"""Who is where in a private world: the same in each copy of a stack, as Docker would have it."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.errors import ConfigError
from stackproof.plan.world.networks import hosts_of, interfaces_of
from stackproof.stack_file.model import Network, Service, StackFile, Subnet


def service(name, *networks, **values):
    return Service(name, image="x", networks=dict.fromkeys(networks, ()), **values)


def stack(tmp_path, *services, **networks):
    return StackFile(
        sources=(tmp_path / "compose.yaml",),
        project_directory=tmp_path,
        services={service.name: service for service in services},
        networks=networks,
    )


@pytest.fixture
def interfaces(tmp_path):
    return lambda *services, **networks: interfaces_of(stack(tmp_path, *services, **networks))


def addresses(found):
    return {name: [interface.address for interface in all_of] for name, all_of in found.items()}


def test_services_get_addresses_in_the_order_of_the_file(interfaces):
    found = interfaces(service("web"), service("db"))
    assert addresses(found) == {"web": ["172.18.0.2"], "db": ["172.18.0.3"]}
    assert (found["web"][0].gateway, found["web"][0].prefix) == ("172.18.0.1", 16)


def test_each_network_has_a_subnet_the_default_one_first(interfaces):
    found = interfaces(
        service("web", "front", "back"), service("db", "back"), service("job"),
        front=Network(), back=Network(),
    )  # fmt: skip
    assert addresses(found) == {
        "web": ["172.19.0.2", "172.20.0.2"],
        "db": ["172.20.0.3"],
        "job": ["172.18.0.2"],
    }


def test_a_service_is_reached_by_its_names_on_each_network(interfaces):
    web = Service(
        "web", image="x", hostname="h", container_name="c", networks={"a": ("x", "web"), "b": ()}
    )
    found = interfaces(web, a=Network(), b=Network())["web"]
    assert [interface.names for interface in found] == [("c", "web", "x", "h"), ("c", "web", "h")]


def test_no_route_leads_out_of_an_internal_network(interfaces):
    found = interfaces(service("db", "in"), **{"in": Network(internal=True)})
    assert found["db"][0].gateway == ""


@pytest.mark.parametrize("mode", ["none", "service:web"])
def test_a_service_without_a_network_of_its_own_has_no_address(interfaces, mode):
    found = interfaces(service("web"), service("db", network_mode=mode))
    assert found["db"] == ()


def test_fixed_addresses_are_kept_and_the_others_go_around_them(interfaces):
    lan = Network(subnets=(Subnet("10.5.0.0/29", gateway="10.5.0.2"),))
    found = interfaces(
        service("a", "lan"), service("b", "lan", addresses={"lan": "10.5.0.3"}),
        service("c", "lan"), lan=lan,
    )  # fmt: skip
    assert addresses(found) == {"a": ["10.5.0.1"], "b": ["10.5.0.3"], "c": ["10.5.0.4"]}
    assert found["a"][0].gateway == "10.5.0.2"


def test_addresses_come_from_the_range_that_is_named(interfaces):
    lan = Network(subnets=(Subnet("10.5.0.0/16", ip_range="10.5.9.0/24"),))
    assert addresses(interfaces(service("a", "lan"), lan=lan)) == {"a": ["10.5.9.0"]}


def test_a_network_without_a_subnet_keeps_away_from_those_that_have_one(interfaces):
    lan = Network(subnets=(Subnet("fd00::/64"), Subnet("172.18.0.0/15")))
    found = interfaces(service("a", "lan"), service("b"), lan=lan)
    assert addresses(found) == {"a": ["172.18.0.2"], "b": ["172.20.0.2"]}


@pytest.mark.parametrize(
    ("address", "observed"),
    [
        ("10.5.0.1", "the gateway has it"),
        ("10.6.0.9", "the subnet of lan is 10.5.0.0/16"),
        ("10.5.0.0", "the subnet of lan is 10.5.0.0/16"),
        ("somewhere", "the subnet of lan is 10.5.0.0/16"),
        ("10.5.0.7", "other has it"),
    ],
)
def test_an_address_that_cant_be_had_is_refused(tmp_path, address, observed):
    other = service("other", "lan", addresses={"lan": "10.5.0.7"})
    web = service("web", "lan", addresses={"lan": address})
    file = stack(tmp_path, other, web, lan=Network(subnets=(Subnet("10.5.0.0/16"),)))
    with pytest.raises(ConfigError) as caught:
        interfaces_of(file)
    assert caught.value.key == "services.web.networks.lan.ipv4_address"
    assert caught.value.observed == observed


@pytest.mark.parametrize(
    "subnet",
    [Subnet("10.5"), Subnet("10.5.0.1/16"), Subnet("10.5.0.0/16", gateway="10.6.0.1"),
     Subnet("10.5.0.0/24", ip_range="10.5.0.0/16"), Subnet("10.5.0.0/16", gateway="here")],
)  # fmt: skip
def test_a_subnet_that_cant_be_had_is_refused(interfaces, subnet):
    with pytest.raises(ConfigError) as caught:
        interfaces(service("a", "lan"), lan=Network(subnets=(subnet,)))
    assert caught.value.key == "networks.lan.ipam.config[0]"


def test_networks_with_the_same_addresses_are_refused(interfaces):
    same = Network(subnets=(Subnet("10.5.0.0/16"),))
    with pytest.raises(ConfigError, match="one and two can't have the same addresses"):
        interfaces(service("a", "one", "two"), one=same, two=same)


def test_a_network_that_is_too_small_is_refused(interfaces):
    with pytest.raises(ConfigError, match="no address left for b"):
        interfaces(service("a", "lan"), service("b", "lan"),
                   lan=Network(subnets=(Subnet("10.5.0.0/30"),)))  # fmt: skip


def test_links_and_extra_hosts_are_names_of_the_service_alone(interfaces):
    web = service("web", links={"base": "db"}, extra_hosts=(
        "host.docker.internal=host-gateway", "api=10.0.0.5", "api=10.0.0.6"))  # fmt: skip
    found = interfaces(web, service("db"))
    assert hosts_of(web, found, "172.18.0.1") == {
        "base": "172.18.0.3",
        "host.docker.internal": "172.18.0.1",
        "api": "10.0.0.5",
    }


def test_a_link_into_a_network_that_the_service_is_not_in_leads_nowhere(interfaces):
    web = service("web", "a", links={"base": "db"})
    found = interfaces(web, service("db", "b"), a=Network(), b=Network())
    assert hosts_of(web, found, "") == {}


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), unique=True), max_size=8),
    st.dictionaries(
        st.sampled_from("abcd"), st.sampled_from(["172.18.0.0/20", "10.0.0.0/8"]), max_size=2
    ),
)
def test_no_two_services_have_one_address_and_every_copy_has_the_same(tmp_path_factory, all_, some):
    folder = tmp_path_factory.getbasetemp()
    networks = {name: Network(subnets=(Subnet(some[name]),) if name in some else ())
                for name in "abcd"}  # fmt: skip
    services = [service(f"s{number}", *names) for number, names in enumerate(all_)]
    file = stack(folder, *services, **networks)
    try:
        found = interfaces_of(file)
    except ConfigError:
        return
    used = [interface.address for each in found.values() for interface in each]
    assert len(used) == len(set(used))
    for interface in (interface for each in found.values() for interface in each):
        whole = ip_network(f"{interface.address}/{interface.prefix}", strict=False)
        assert ip_address(interface.gateway) in whole
    assert interfaces_of(replace(file, name="another copy")) == found
