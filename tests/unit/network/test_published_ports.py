"""Ports of a private world's services are reached on this machine's loopback, as published."""

import hashlib
import os
import socket
import threading

import pytest
from tests.unit.guard.test_relay import read_all
from tests.unit.network.conftest import ASK, place
from tests.unit.network.test_rooms import RETRY

from stackproof.waiting import wait_until

pytestmark = pytest.mark.parametrize("world", ["user"], indirect=True)
BIG = os.urandom(1 << 20) * 24

SENDS_BACK = """
import socket
listener = socket.create_server(("0.0.0.0", 9000))
while True:
    link, _ = listener.accept()
    with link:
        data = b"".join(iter(lambda: link.recv(1 << 16), b""))
        link.sendall(data)
"""

COUNTS = """
import socket, sys
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
for number in range(100):
    link, _ = listener.accept()
    with link:
        link.sendall(b"%d" % number)
"""


@pytest.fixture
def published(world, ports):
    """Publishes a port of a room; all are let go of afterwards."""

    def publish(room, address, target):
        port = ports()
        world.ask("publish", room, port, address, target)
        return port

    yield publish
    for room in ("web", "db", "inner"):
        world.ask("unpublish", room)


def test_a_published_port_answers_as_soon_as_the_service_listens(world, published):
    port = published("web", "172.18.0.2", 9100)
    assert not world.is_open(port)
    world.serve("web", 9100)
    world.wait_open(port)
    assert world.said(port) == "web 172.18.0.1 hi"  # the bridge's address, as a container sees it


def test_the_port_refuses_once_the_service_has_gone_and_comes_back_with_it(world, published):
    port = published("web", "172.18.0.2", 9101)
    for _ in range(2):
        pid = world.serve("web", 9101)
        world.wait_open(port)
        assert world.said(port)
        world.ask("end", pid)
        world.wait_open(port, opened=False)


def test_a_service_notices_no_look_whether_it_listens(world, published):
    port = published("web", "172.18.0.2", 9102)
    world.ask("start", "web", COUNTS, 9102)
    wait_until(lambda: world.said(port), timeout=20, what="it", retry_on=(ConnectionRefusedError,))
    assert world.said(port) == "1"


def test_a_port_on_the_services_own_loopback_is_not_published(world, published):
    port = published("web", "172.18.0.2", 9103)
    world.serve("web", 9103, "127.0.0.1")
    assert world.run("web", RETRY + ASK, "127.0.0.1", 9103)
    assert not world.is_open(port)


def test_a_service_that_listens_on_ipv6_for_all_is_published(world, published):
    port = published("web", "172.18.0.2", 9104)
    code = "import socket\nreal = socket.create_server\n" + SENDS_BACK.replace(
        '(("0.0.0.0", 9000))', '(("::", 9104), family=socket.AF_INET6, dualstack_ipv6=True)'
    )
    world.ask("start", "web", code)
    world.wait_open(port)


def test_a_port_on_an_internal_network_is_published(world, published):
    port = published("inner", "172.20.0.2", 9105)
    world.serve("inner", 9105)
    world.wait_open(port)
    assert world.said(port) == "inner 172.20.0.2 hi"


def test_many_bytes_pass_through_whole_in_both_directions(world, published):
    port = published("db", "172.19.0.3", 9000)
    pid = world.ask("start", "db", SENDS_BACK)
    world.wait_open(port)
    with world.connect(port) as link:

        def send():
            link.sendall(BIG)
            link.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        assert hashlib.sha256(read_all(link)).digest() == hashlib.sha256(BIG).digest()
        sender.join()
    world.ask("end", pid)


def test_a_hundred_connections_are_served_at_once(world, published):
    port = published("web", "172.18.0.2", 9106)
    world.serve("web", 9106)
    world.wait_open(port)
    links = [world.connect(port) for _ in range(100)]
    for number, link in enumerate(links):
        link.settimeout(20)
        link.sendall(b"%d" % number)
    for number, link in enumerate(links):
        with link:
            assert link.recv(100).decode() == f"web 172.18.0.1 {number}"


def test_a_port_that_somebody_else_has_is_said(world):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ValueError, match=r"^publish web: .*in use"),
    ):
        world.ask("publish", "web", taken.getsockname()[1], "172.18.0.2", 80)


def test_an_address_that_no_service_has_is_said(world, ports):
    with pytest.raises(ValueError, match=r"no service of the stack has the address 172\.18\.0\.99"):
        world.ask("publish", "web", ports(), "172.18.0.99", 80)


def test_a_server_of_this_machine_answers_as_a_service_of_the_stack(world):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            link, _ = listener.accept()
            with link:
                link.sendall(b"shared " + link.recv(100))

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        world.ask("room", "shared", place("back", "172.19.0.7", "shared"))
        world.ask("foreign", "shared", "172.19.0.7", 5432, listener.getsockname()[1])
        assert world.run("web", RETRY + ASK, "172.19.0.7", 5432) == "shared hi"
        thread.join()
    world.ask("leave", "shared")


def test_a_service_that_joins_a_room_has_ports_of_its_own_which_go_with_the_room(world, ports):
    world.ask("room", "host", place("back", "172.19.0.8", "host"))
    first, second = ports(), ports()
    world.ask("publish", "host", first, "172.19.0.8", 9300)
    world.ask("publish", "joined", second, "172.19.0.8", 9301)
    for target in (9300, 9301):
        world.serve("host", target)
    for port in (first, second):
        world.wait_open(port)
    world.ask("unpublish", "joined")
    world.wait_open(second, opened=False)
    assert world.is_open(first)
    world.ask("publish", "joined", second, "172.19.0.8", 9301)
    world.wait_open(second)
    world.ask("leave", "host")
    assert not world.is_open(first)
    assert not world.is_open(second)
