"""The network process starts with its supervisor's rights, and does not outlive it."""

import os
import socket

import pytest
from tests.unit.guard.test_relay import CONNECTS
from tests.unit.network.conftest import place, start_world

from stackproof.waiting import wait_until

SETTING = "import sys; print(open('/proc/sys/net/ipv4/' + sys.argv[1]).read())"


@pytest.fixture(params=["root", "user"])
def own_world(request, tmp_path):
    made = start_world(request.param, tmp_path, request)
    yield made
    made.close()


def running(world):
    """The network process, as soon as it is its program."""
    return wait_until(lambda: world.ask("network_processes"), timeout=20, what="its program")


def test_a_network_process_that_ends_is_told_and_nothing_waits_for_it(own_world):
    (pid,) = running(own_world)
    own_world.ask("kill", pid)
    said = wait_until(lambda: own_world.ask("said", "ended"), timeout=20, what="its end")
    assert said == ["the network process has ended with status -9"]
    with pytest.raises(ValueError, match="the network process does not run"):
        own_world.ask("room", "web")


def test_the_process_ends_when_the_supervisors_end_of_its_socket_is_closed(own_world):
    assert len(running(own_world)) == 1
    own_world.ask("close")
    wait_until(
        lambda: own_world.ask("network_processes"), timeout=20, what="its end",
        until=lambda found: found == [],
    )  # fmt: skip
    assert own_world.ask("said", "ended") == []


def test_a_room_has_settings_of_its_own(own_world):
    own_world.ask("room", "web", place("front", "172.18.0.2", "web"))
    assert own_world.run("web", SETTING, "ip_unprivileged_port_start") == "0"
    assert own_world.run("web", SETTING, "ping_group_range") in {"0\t2147483647", "0\t0"}


def read_from(link, port):
    link.connect(("127.0.0.1", port))
    return link.recv(1)


def test_another_user_of_this_machine_is_refused_and_that_is_told(own_world, ports, other_user):
    own_world.ask("room", "web", place("front", "172.18.0.2", "web"))
    port = ports()
    own_world.ask("publish", "web", port, "172.18.0.2", 80)
    own_world.serve("web", 80)
    own_world.wait_open(port)
    if own_world.uid == os.getuid():
        assert other_user.run(["/usr/bin/python3", "-c", CONNECTS, str(port)]).stdout == "reset\n"
        shown = other_user.uid
    else:
        with socket.socket() as link:
            link.settimeout(20)
            with pytest.raises(ConnectionResetError):
                read_from(link, port)
        shown = 65534  # a user namespace shows all strangers so
    (event,) = own_world.events()
    assert event == {
        "kind": "stranger",
        "service": "web",
        "detail": f"stackproof: refused a connection of user {shown}",
    }
