"""What a test does to the network between two services."""

import pytest

from stackproof.engines.network_faults import NetworkFault
from stackproof.errors import ConfigError
from stackproof.stack.network import StackNetwork


@pytest.fixture
def done():
    return []


@pytest.fixture
def network(done):
    return StackNetwork(frozenset({"api", "worker", "db"}), done.append, {})


def test_a_fault_stays_until_it_is_healed(network, done):
    network.cut("worker", "db")
    network.heal("worker")
    assert done == [NetworkFault("cut", "worker", "db"), NetworkFault("heal", "worker")]


def test_a_with_block_ends_the_fault_whatever_happens_in_it(network, done):
    with pytest.raises(KeyError), network.lose("api", "db", 20):
        raise KeyError
    assert done == [NetworkFault("lose", "api", "db", percent=20),
                    NetworkFault("heal", "api", "db", percent=20)]  # fmt: skip


def test_times_are_milliseconds_and_rates_are_bytes_a_second(network, done):
    network.delay("api", "db", ms=200, jitter=50)
    network.slow("api", "db", rate=1000)
    assert done == [NetworkFault("pace", "api", "db", delay=0.2, jitter=0.05),
                    NetworkFault("pace", "api", "db", rate=1000)]  # fmt: skip
    assert [str(fault) for fault in done] == [
        "connections between api and db are held up: 200 ms ± 50",
        "connections between api and db are held up: 1000 bytes a second",
    ]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda network: network.cut("api", "dbb"), "no service dbb"),
        (lambda network: network.heal("dbb"), "no service dbb"),
        (lambda network: network.cut("api", "api"), "no network to itself"),
        (lambda network: network.lose("api", "db", 0), "0 % of packets can't be lost"),
        (lambda network: network.lose("api", "db", 101), "101 % of packets can't be lost"),
        (lambda network: network.delay("api", "db", ms=-1), "can't be held up for -1 ms"),
        (lambda network: network.slow("api", "db", rate=0), "0 bytes a second"),
    ],
)
def test_what_can_t_be_meant_is_refused(network, done, call, words):
    with pytest.raises(ConfigError, match=words):
        call(network)
    assert done == []


def test_what_is_wrong_is_known_until_it_is_healed():
    faults = {}
    network = StackNetwork(frozenset({"api", "worker", "db"}), lambda _: None, faults)
    network.cut("worker", "db")
    network.delay("api", "db", ms=5)
    with network.lose("api", "worker", 5):
        assert sorted(map(str, faults.values())) == [
            "5 % is lost between api and worker",
            "connections between api and db are held up: 5 ms",
            "nothing passes between worker and db",
        ]
    network.heal("db", "worker")
    assert [*map(str, faults.values())] == ["connections between api and db are held up: 5 ms"]
    network.heal("db")
    assert faults == {}
