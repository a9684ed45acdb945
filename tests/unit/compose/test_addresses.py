"""Whether address ranges are left is told from the pools and from what networks have."""

from ipaddress import ip_network

import pytest

from stackproof.engines.compose.addresses import (
    DEFAULT_POOLS,
    free_ranges,
    refuse_without_addresses,
    subnets_of,
    to_make,
)
from stackproof.errors import EngineUnavailable

POOL = [{"Base": "10.231.0.0/26", "Size": 28}]
"""Room for four networks."""


class Engine:
    """A Docker Engine with some networks."""

    def __init__(self, networks, pools=None):
        self.api = self
        self._networks, self._pools = networks, pools

    def networks(self):
        return self._networks

    def info(self):
        return {"DefaultAddressPools": self._pools} if self._pools else {}


def network(name, *subnets):
    return {"Name": name, "IPAM": {"Config": [{"Subnet": one} for one in subnets]}}


@pytest.mark.parametrize(
    ("used", "free"),
    [
        ([], 4),
        (["10.231.0.16/28"], 3),
        (["10.231.0.0/27"], 2),  # a wider one takes two
        (["10.231.0.20/30"], 3),  # a narrower one takes the whole of one
        (["10.0.0.0/8"], 0),
        (["192.168.0.0/16"], 4),
    ],
)
def test_a_pool_has_room_for_what_no_network_overlaps(used, free):
    assert free_ranges(POOL, [ip_network(one) for one in used], enough=10) == free


def test_counting_ends_where_it_is_enough():
    assert free_ranges(POOL, [], enough=2) == 2


def test_an_engine_without_configured_pools_has_31_networks():
    pools = [{"Base": base, "Size": size} for base, size in DEFAULT_POOLS]
    assert free_ranges(pools, [], enough=100) == 31


def test_a_network_without_addresses_takes_none():
    assert subnets_of({"Name": "host", "IPAM": {"Config": None}}) == []
    assert subnets_of(network("six", "fd00::/64")) == []


def test_a_network_that_is_there_or_external_or_brings_its_addresses_needs_none():
    model = {
        "networks": {
            "default": {"name": "shop_default"},
            "known": {"name": "shop_known"},
            "theirs": {"external": True, "name": "theirs"},
            "own": {"name": "shop_own", "ipam": {"config": [{"subnet": "10.1.0.0/24"}]}},
            "bare": None,
        }
    }
    assert to_make(model, {"shop_known"}) == ["default", "bare"]


def test_a_stack_that_needs_more_ranges_than_are_left_is_refused():
    taken = [network(str(one), f"10.231.0.{one * 16}/28") for one in range(3)]
    model = {"networks": {"front": {}, "back": {}}}
    with pytest.raises(EngineUnavailable) as caught:
        refuse_without_addresses(Engine(taken, POOL), model)
    assert "3 are taken, 1 free, 2 needed" in str(caught.value)


def test_a_stack_that_fits_is_not():
    refuse_without_addresses(Engine([], POOL), {"networks": {"front": {}, "back": {}}})
    refuse_without_addresses(Engine([]), {"networks": {"default": None}})
