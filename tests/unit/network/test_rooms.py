"""Services of a private world reach each other as containers do, and nobody else."""

import socket

import pytest
from tests.unit.network.conftest import ASK, place

RETRY = """
import socket, time
real = socket.create_connection
def patient(*given):
    for _ in range(400):
        try:
            return real(*given)
        except (ConnectionRefusedError, ConnectionResetError):
            time.sleep(0.02)
    return real(*given)
socket.create_connection = patient
"""

PING = """
import socket, struct, sys
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
link.settimeout(10)
link.sendto(struct.pack("!BBHHH", 8, 0, 0xf7fe, 0, 1), (sys.argv[1], 0))
data, peer = link.recvfrom(100)
print(peer[0], data[0])
"""

BREAKS = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as link:
        print(link.recv(1) or "broke")
except OSError:
    print("broke")
"""

REFUSED = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))
except OSError as error:
    print(type(error).__name__)
"""


def test_a_service_reaches_another_one_by_its_address(world):
    world.serve("db", 8001)
    text = world.run("web", RETRY + ASK, "172.19.0.3", 8001)
    assert text == "db 172.19.0.2 hi"


def test_two_services_listen_on_the_same_port(world):
    for name in ("web", "other"):
        world.serve(name, 80)
    for name, address in (("web", "172.18.0.2"), ("other", "172.18.0.3")):
        assert world.run("web", RETRY + ASK, address, 80).startswith(name)


def test_services_of_different_networks_do_not_reach_each_other(world):
    world.serve("db", 8002)
    assert world.run("web", RETRY + ASK, "172.19.0.3", 8002)
    assert world.run("other", REFUSED, "172.19.0.3", 8002, 0.3) == "TimeoutError"


def test_a_service_can_be_pinged(world):
    assert world.run("web", PING, "172.19.0.3") == "172.19.0.3 0"


LINKS = """
import fcntl, socket, struct
probe = socket.socket()
for number, name in socket.if_nameindex():
    try:
        packed = fcntl.ioctl(probe, 0x8915, struct.pack("256s", name.encode()))  # SIOCGIFADDR
        hardware = fcntl.ioctl(probe, 0x8927, struct.pack("256s", name.encode()))  # SIOCGIFHWADDR
        print(name, socket.inet_ntoa(packed[20:24]), hardware[18:24].hex(":"))
    except OSError:
        pass
"""


def test_a_service_has_an_interface_in_each_of_its_networks(world):
    assert world.run("web", LINKS).splitlines() == [
        "lo 127.0.0.1 00:00:00:00:00:00",
        "eth0 172.18.0.2 02:42:ac:12:00:02",
        "eth1 172.19.0.2 02:42:ac:13:00:02",
    ]


def test_a_room_without_networks_has_its_own_loopback_alone(world):
    world.ask("room", "alone")
    assert world.run("alone", LINKS) == "lo 127.0.0.1 00:00:00:00:00:00"
    world.serve("alone", 8000, "127.0.0.1")
    assert world.run("alone", RETRY + ASK, "127.0.0.1", 8000) == "alone 127.0.0.1 hi"


def test_a_service_does_not_reach_the_loopback_of_this_machine(world, ports):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "172.18.0.1"):
            assert world.run("web", REFUSED, host, port, 5) == "ConnectionRefusedError"


def test_a_place_that_is_taken_away_can_be_given_again(world):
    for name in ("first", "second"):
        world.ask("room", name, place("front", "172.18.0.9", name))
        pid = world.serve(name, 80)
        assert world.run("web", RETRY + ASK, "172.18.0.9", 80).startswith(name)
        world.ask("end", pid)
        world.ask("leave", name)


def test_a_room_that_can_not_be_made_says_which_step_has_failed(world):
    with pytest.raises(ValueError, match=r"^room bad: add address 172\.18\.0\.8: "):
        world.ask("room", "bad", place("front", "172.18.0.8", "x"), ["n", "172.18.0.8", 99, "", []])
    world.ask("room", "bad", place("front", "172.18.0.8", "bad"))
    world.ask("leave", "bad")
