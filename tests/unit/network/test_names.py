"""Services find each other by name, as the resolver of Docker tells them."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.engines.process.world.network import dns_message
from stackproof.engines.process.world.network.names import Names
from stackproof.engines.process.world.network.namespaces import Interface
from stackproof.engines.process.world.network.resolver import Resolver

QUERY = """
import socket, struct, sys
name, kind = sys.argv[1], int(sys.argv[2])
labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
question = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)
place = "127.0.0.11", 53
link = socket.socket(type=socket.SOCK_DGRAM)
link.settimeout(10)
link.sendto(question, place)
data, peer = link.recvfrom(512)
assert peer == place
link = socket.create_connection(place, 10)
sent = struct.pack("!H", len(question)) + question
link.sendall(sent[:5])
link.sendall(sent[5:])
over_tcp = link.recv(512)
assert over_tcp[:2] == struct.pack("!H", len(data))
assert over_tcp[2:14] == data[:12]
identity, flags, _, answers, _, _ = struct.unpack_from("!HHHHHH", data)
assert identity == 7 and flags & 0x8000
rest = data[len(question):]
found = []
for _ in range(answers):
    kind, _, _, size = struct.unpack_from("!HHIH", rest, 2)
    value, rest = rest[12:12 + size], rest[12 + size:]
    found.append(socket.inet_ntoa(value) if kind == 1 else repr(value))
print(flags & 15, *sorted(found))
"""
A, PTR, AAAA, MX = 1, 12, 28, 15


@pytest.mark.parametrize("world", ["user"], indirect=True)
@pytest.mark.parametrize(
    ("room", "name", "kind", "answer"),
    [
        pytest.param("web", "db", A, "0 172.19.0.3", id="a service on a network that both are in"),
        pytest.param("web", "DATABASE", A, "0 172.19.0.3", id="an alias, of any case"),
        pytest.param("other", "www", A, "0 172.18.0.2 172.18.0.3", id="an alias of two"),
        pytest.param("other", "db", A, "3", id="a service on another network"),
        pytest.param("other", "web", A, "0 172.18.0.2", id="a service of several networks"),
        pytest.param("web", "db", AAAA, "0", id="an IPv6 address of a known name"),
        pytest.param("web", "nobody", A, "3", id="an unknown name"),
        pytest.param(
            "web", "3.0.19.172.in-addr.arpa", PTR, "0 b'\\x02db\\x00'", id="the name of an address"
        ),
        pytest.param("other", "3.0.19.172.in-addr.arpa", PTR, "3", id="that of a foreign network"),
        pytest.param("inner", "inner", A, "0 172.20.0.2", id="a name on an internal network"),
    ],
)
def test_a_name_leads_where_it_would_in_a_container(world, room, name, kind, answer):
    """Over UDP and over TCP; aliases of several may come in another order."""
    assert world.run(room, QUERY, name, kind) == answer


def test_a_name_is_known_no_more_when_its_service_has_left():
    names = Names()
    names.add("web", [Interface("net", "172.18.0.2", 16, "172.18.0.1", ("web",))])
    names.add("db", [Interface("net", "172.18.0.3", 16, "172.18.0.1", ("db", "store"))])
    assert names.addresses("web", "store") == ["172.18.0.3"]
    assert names.owner_of("172.18.0.3") == "db"
    names.remove("db")
    assert names.addresses("web", "store") == []
    assert names.owner_of("172.18.0.3") == ""


def resolver(*shared):
    """A resolver of a stack whose services all have an alias in common."""
    names = Names()
    for number in range(2, 2 + len(shared)):
        place = Interface("net", f"172.18.0.{number}", 16, "172.18.0.1", shared)
        names.add(f"service{number}", [place])
    loop = SimpleNamespace()
    return Resolver(loop, names, lambda asked: asked.reply(refusal(asked.question)))


def refusal(question):
    return dns_message.answer(question, code=dns_message.NAME_ERROR)


def question(name, kind=A, flags=0x100):
    labels = b"".join(bytes([len(one)]) + one for one in name.encode().split(b"."))
    head = dns_message.HEAD.pack(5, flags, 1, 0, 0, 0)
    return head + labels + b"\0" + kind.to_bytes(2) + b"\0\1"


def answers(one, data):
    found = []
    one.resolve("service2", data, found.append)
    return found


def test_the_addresses_of_a_shared_alias_take_turns():
    one = resolver("api", "x")
    first = [dns_message.addresses_in(*answers(one, question("api")))[0] for _ in range(4)]
    assert first == ["172.18.0.2", "172.18.0.3"] * 2


def test_what_a_resolver_does_not_do_is_said():
    (answer,) = answers(resolver("api"), question("api", flags=0x2800))  # an update
    assert answer[3] & 15 == dns_message.NOT_IMPLEMENTED


@given(st.binary(max_size=80))
def test_no_bytes_make_the_resolver_fail(data):
    assert len(answers(resolver("api"), data)) <= 1


@given(st.binary(max_size=60), st.integers(0, 60))
def test_no_damage_to_a_question_makes_the_resolver_fail(noise, at):
    data = question("api.example.com", A)
    damaged = data[:at] + noise + data[at + len(noise) :]
    found = answers(resolver("api"), damaged)
    assert all(len(one) >= dns_message.HEAD.size and one[:2] == damaged[:2] for one in found)


@given(st.binary(max_size=80))
def test_no_bytes_are_taken_for_an_answer_by_mistake(data):
    try:
        found = dns_message.addresses_in(data)
    except dns_message.MalformedError:
        return
    assert all(one.count(".") == 3 for one in found)


LABEL = st.text("abcxyz-0", min_size=1, max_size=63)


@given(st.lists(LABEL, min_size=1, max_size=3).map(".".join))
def test_a_question_is_read_as_it_was_written(name):
    found = dns_message.parse(question(name.upper()))
    assert (found.name, found.kind, found.identity) == (name, A, 5)
