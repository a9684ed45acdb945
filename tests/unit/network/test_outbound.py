"""What leaves a stack is passed on and told, or refused at once and told."""

import contextlib
import os
import random
import socket
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.conftest import ASK, destinations, start_world, with_rooms
from tests.unit.network.test_names import AAAA, QUERY, A
from tests.unit.network.test_rooms import BREAKS, PING, REFUSED, RETRY

from stackproof.engines.process.world.network import dns_message, forwarding, outbound, tap

HOSTS = "127.0.1.1 myself.example\n10.9.8.7 intranet.example # a comment\n::1 intranet.example\n"

SEND = """
import socket, sys
link = socket.socket(type=socket.SOCK_DGRAM)
link.settimeout(10)
link.connect((sys.argv[1], int(sys.argv[2])))
link.send(b"hi")
try:
    link.recv(10)
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture(scope="module")
def resolver():
    """A resolver of this machine, which knows one name."""
    if os.getuid() != 0:
        pytest.skip("only root can answer on port 53")
    address = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(2, 254)}"
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind((address, 53))
    tcp = socket.create_server((address, 53))
    known = SimpleNamespace(address=address, records={"api.example.com": "203.0.113.7"})

    def answer(data):
        question = dns_message.parse(data)
        found = known.records.get(question.name)
        records = [dns_message.address_record(found)] if found and question.kind == A else []
        code = dns_message.NO_ERROR if found else dns_message.NAME_ERROR
        return dns_message.answer(question, code=code, records=records)

    def serve_udp():
        with contextlib.suppress(OSError):
            while True:
                data, asker = udp.recvfrom(4096)
                udp.sendto(answer(data), asker)

    def serve_tcp():
        with contextlib.suppress(OSError):
            while True:
                link, _ = tcp.accept()
                with link:
                    message = answer(link.recv(4096)[2:])
                    link.sendall(len(message).to_bytes(2) + message)

    for serve in (serve_udp, serve_tcp):
        threading.Thread(target=serve, daemon=True).start()
    yield known
    for one in (udp, tcp):
        one.shutdown(socket.SHUT_RDWR) if one is tcp else None
        one.close()


@pytest.fixture(scope="module", params=["root", "user"])
def opened(request, tmp_path_factory, resolver):
    """A network with a way out."""
    files = {"/etc/resolv.conf": f"nameserver {resolver.address}\n", "/etc/hosts": HOSTS}
    made = start_world(request.param, tmp_path_factory.mktemp("opened"), request, files)
    try:
        assert made.ask("open") == ""
        yield with_rooms(made)
    finally:
        made.close()


@pytest.fixture(scope="module", params=["root", "user"])
def hermetic(request, tmp_path_factory):
    """A network without a way out."""
    made = start_world(request.param, tmp_path_factory.mktemp("hermetic"), request)
    try:
        yield with_rooms(made)
    finally:
        made.close()


def test_a_connection_to_another_place_is_passed_on_and_told_once(opened, elsewhere):
    for _ in range(2):
        assert opened.run("web", ASK, *elsewhere) == "outside hi"
    assert destinations(opened, address=elsewhere[0], port=elsewhere[1]) == [
        {
            "kind": "outbound", "service": "web", "host": "", "address": elsewhere[0],
            "port": elsewhere[1], "refused": "", "failed": "",
        }
    ]  # fmt: skip


def test_a_destination_is_told_with_the_name_that_led_there(opened, elsewhere, resolver):
    resolver.records["shop.example.com"] = elsewhere[0]
    assert opened.run("web", QUERY, "shop.example.com", A) == f"0 {elsewhere[0]}"
    assert opened.run("web", ASK, *elsewhere) == "outside hi"
    assert destinations(opened, host="shop.example.com", port=elsewhere[1])


def test_a_place_that_does_not_answer_is_told_as_failed(opened, elsewhere):
    with socket.create_server((elsewhere[0], 0)) as closed:
        port = closed.getsockname()[1]
    assert opened.run("web", BREAKS, elsewhere[0], port) == "broke"
    assert destinations(opened, port=port, failed="Connection refused")


@pytest.mark.parametrize("opened", ["user"], indirect=True)
@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        pytest.param("api.example.com", A, "0 203.0.113.7", id="a name outside"),
        pytest.param("nobody.example.com", A, "3", id="an unknown one"),
        pytest.param("intranet.example", A, "0 10.9.8.7", id="one of this machine's hosts"),
        pytest.param("intranet.example", AAAA, "0", id="its IPv6 address"),
        pytest.param("myself.example", A, "3", id="a name of this machine's loopback"),
        pytest.param("nobody", A, "3", id="a single word"),
    ],
)
def test_other_names_are_those_of_this_machines_resolvers(opened, name, kind, answer):
    assert opened.run("web", QUERY, name, kind) == answer


def test_datagrams_to_another_place_are_refused_and_told(opened):
    assert opened.run("web", SEND, "203.0.113.9", 123) == "ConnectionRefusedError"
    told = destinations(opened, address="203.0.113.9", port=123)
    assert [one["refused"] for one in told] == ["only TCP is passed on"]


def test_an_internal_network_has_no_way_out(opened, elsewhere):
    assert opened.run("inner", REFUSED, *elsewhere, 5) == "OSError"  # no route


def test_the_redirecting_port_itself_leads_nowhere(opened, ports):
    opened.ask("open", ports())  # the thread inside goes to the hub for it
    (port,) = opened.ask("hub_ports")
    assert opened.run("web", BREAKS, "172.18.0.1", port) == "broke"
    refused = f"`external` does not name host.docker.internal:{port}"
    assert [one["refused"] for one in destinations(opened, address="172.18.0.1")] == [refused]


def test_a_way_out_can_be_shut_and_opened_again(hermetic, elsewhere):
    assert hermetic.ask("open") == ""
    assert hermetic.run("web", ASK, *elsewhere) == "outside hi"
    hermetic.ask("shut")
    assert hermetic.run("web", REFUSED, *elsewhere, 10) == "ConnectionRefusedError"
    assert hermetic.ask("open") == ""
    assert hermetic.run("web", ASK, *elsewhere) == "outside hi"
    hermetic.ask("shut")


def test_a_hermetic_stack_refuses_connections_at_once_and_tells_them(hermetic, elsewhere):
    assert hermetic.run("web", REFUSED, *elsewhere, 10) == "ConnectionRefusedError"
    assert destinations(hermetic, address=elsewhere[0], refused="the stack is hermetic") == [
        {
            "kind": "outbound", "service": "web", "host": "", "address": elsewhere[0],
            "port": elsewhere[1], "refused": "the stack is hermetic", "failed": "",
        }
    ]  # fmt: skip


def test_a_hermetic_stack_knows_no_names_outside_and_tells_them(hermetic):
    assert hermetic.run("web", QUERY, "api.example.com", A) == "3"
    assert hermetic.run("web", QUERY, "nobody", A) == "3"
    told = destinations(hermetic, kind="outbound", address="")
    assert [(one["host"], one["refused"]) for one in told] == [
        ("api.example.com", "the stack is hermetic")
    ]


def test_nobody_answers_a_ping_in_the_name_of_another_place(hermetic):
    code = PING.replace("settimeout(10)", "settimeout(0.3)")
    status, output = hermetic.ask("run", "web", code, "203.0.113.9")
    assert status != 0
    assert "TimeoutError" in output


@pytest.fixture
def on_this_machine():
    """Ports of two servers that listen on this machine's loopback."""
    with (
        socket.create_server(("127.0.0.1", 0)) as named,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    link, _ = named.accept()
                    with link:
                        link.sendall(b"this machine " + link.recv(100))

        threading.Thread(target=answer, daemon=True).start()
        yield named.getsockname()[1], other.getsockname()[1]
        named.shutdown(socket.SHUT_RDWR)


def why(world, port):
    """What was told of a port of this machine: why it was refused, or what went wrong."""
    told = destinations(world, host="host.docker.internal", port=port)
    return [one["refused"] or one["failed"] for one in told]


def test_a_port_of_this_machine_is_reached_by_its_name_if_it_is_named(opened, on_this_machine):
    named, other = on_this_machine
    opened.ask("open", named)
    assert opened.run("web", QUERY, "host.docker.internal", A) == "0 172.18.0.1"
    assert opened.run("web", RETRY + ASK, "172.18.0.1", named) == "this machine hi"
    for refused in (("172.18.0.1", other), ("127.0.0.1", named)):
        assert opened.run("web", REFUSED, *refused, 5) == "ConnectionRefusedError"
    assert why(opened, named) == [""]
    assert why(opened, other) == [f"`external` does not name host.docker.internal:{other}"]


def test_a_port_of_this_machine_may_have_another_number_for_services(opened, on_this_machine):
    named, _ = on_this_machine
    opened.ask("open", [8080, named])
    assert opened.run("web", RETRY + ASK, "172.18.0.1", 8080) == "this machine hi"


def test_a_port_of_this_machine_that_is_named_no_more_is_refused(opened, on_this_machine):
    named, other = on_this_machine
    opened.ask("open", named, other)
    assert opened.run("web", RETRY + ASK, "172.18.0.1", named) == "this machine hi"
    opened.ask("open", other)
    assert opened.run("web", REFUSED, "172.18.0.1", named, 5) == "ConnectionRefusedError"
    assert f"`external` does not name host.docker.internal:{named}" in why(opened, named)


def test_a_port_of_this_machine_that_nobody_listens_on_is_told_as_failed(opened, ports):
    port = ports()
    opened.ask("open", port)
    assert opened.run("web", REFUSED, "172.18.0.1", port, 5) == "ConnectionRefusedError"
    assert why(opened, port) == [f"nobody listens on 127.0.0.1:{port} of this machine"]


def test_a_hermetic_stack_does_not_reach_this_machine(hermetic, on_this_machine):
    port, _ = on_this_machine
    assert hermetic.run("web", REFUSED, "172.18.0.1", port, 5) == "ConnectionRefusedError"
    assert why(hermetic, port) == ["the stack is hermetic"]


def test_names_of_hosts_are_forgotten_one_after_the_other(monkeypatch):
    monkeypatch.setattr(outbound, "MOST_REMEMBERED", 2)
    known = outbound.KnownHosts()
    for number in range(3):
        known.note("web", f"host{number}", [f"192.0.2.{number}"])
    assert [known.host_of("web", f"192.0.2.{number}") for number in range(3)] == [
        "", "host1", "host2",
    ]  # fmt: skip
    assert known.host_of("db", "192.0.2.2") == ""


@given(st.binary(max_size=60))
def test_no_packet_makes_the_tap_fail(packet):
    found = tap.attempt(packet)
    assert found is None or 0 <= found.port < 65536


@given(st.text("nameserver 127.0\n#:é", max_size=60))
def test_no_text_makes_the_files_of_this_machine_unreadable(text):
    assert all(forwarding.resolvers_of(text))
    assert isinstance(forwarding.addresses_of(text, "x"), list)
