"""Whether the networks of containers may be disturbed from here, and which ones."""

import os

import pytest

from stackproof.engines.compose.faults.namespaces import (
    Container,
    UnreachableError,
    container_of,
    open_room,
    refusal,
)


def test_root_on_the_engines_own_machine_is_let():
    assert refusal("linux", 0, "unix:///var/run/docker.sock") == ""


@pytest.mark.parametrize(
    ("platform", "user", "engine", "words"),
    [
        ("darwin", 0, "unix:///var/run/docker.sock", "virtual machine"),
        ("linux", 1000, "unix:///var/run/docker.sock", "this is user 1000"),
        ("linux", 0, "tcp://10.0.0.7:2375", "another machine: tcp://10.0.0.7:2375"),
        ("linux", 0, "ssh://me@there", "another machine"),
    ],
)
def test_nobody_else_is_and_hears_why(platform, user, engine, words):
    assert words in refusal(platform, user, engine)


def inspected(*, running=True, six=""):
    place = {"IPAddress": "172.18.0.2", "IPPrefixLen": 16, "Gateway": "172.18.0.1"}
    return {
        "Id": "ab" * 32,
        "State": {"Running": running, "Pid": os.getpid()},
        "NetworkSettings": {"Networks": {"shop_default": {**place, "GlobalIPv6Address": six}}},
    }


def test_a_container_has_a_place_in_each_network():
    (place,) = container_of("api", inspected()).interfaces
    assert (place.network, place.address, place.prefix) == ("shop_default", "172.18.0.2", 16)


def test_a_container_that_does_not_run_can_not_be_disturbed():
    with pytest.raises(UnreachableError, match="api does not run"):
        container_of("api", inspected(running=False))


def test_a_cut_would_leave_ipv6_and_is_refused():
    with pytest.raises(UnreachableError, match="IPv6"):
        container_of("api", inspected(six="fd00::2"))


def test_a_process_that_only_has_the_number_of_a_containers_one_is_left_alone():
    container: Container = container_of("api", inspected())

    class Inside:
        def do(self, job):
            pytest.fail("the namespace of a stranger was entered")

    with pytest.raises(UnreachableError, match=f"process {os.getpid()} of this machine is not"):
        open_room(Inside(), container)
