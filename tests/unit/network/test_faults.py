"""The way between two services can be cut, lossy, late or slow, and heals again."""

import pytest
from tests.unit.network.conftest import ASK, place
from tests.unit.network.test_rooms import BREAKS, PING, RETRY

DB = "172.19.0.3"
pytestmark = pytest.mark.parametrize("world", ["user"], indirect=True)


@pytest.fixture(autouse=True)
def healed(world):
    yield
    world.ask("heal")


STALLS = """
import socket, sys
place = sys.argv[1], int(sys.argv[2])
link = patient(place, 10)
link.sendall(b"hi")
print("up", link.recv(100))
while True:
    try:
        real(place, 0.3).close()
    except TimeoutError:
        break
link.settimeout(0.3)
link.sendall(b"there")
try:
    link.recv(100)
    print("goes on")
except TimeoutError:
    print("stalls")
link.settimeout(60)
print("heals", link.recv(100))
real(place, 60).close()
print("as before")
"""


def test_a_cut_stalls_connections_until_it_heals(world):
    world.serve("db", 8101)
    pid = world.ask("start", "web", RETRY + STALLS, DB, 8101)
    world.wait_for(pid, "up b'db 172.19.0.2 hi'")
    world.ask("cut", "web", "db")
    world.wait_for(pid, "stalls")
    world.ask("heal", "db", "web")
    world.wait_for(pid, "heals b'db 172.19.0.2 there'")
    world.wait_for(pid, "as before")
    assert "goes on" not in world.ask("end", pid)


def test_a_cut_is_between_two_services_alone(world):
    world.ask("cut", "other", "web")
    short = PING.replace("settimeout(10)", "settimeout(0.3)")
    for room, address in (("web", "172.18.0.3"), ("other", "172.18.0.2")):
        assert world.ask("run", room, short, address)[0] != 0
    assert world.run("web", PING, DB)


def test_a_cut_holds_when_a_service_is_made_anew_and_heals_even_while_it_is_away(world):
    short = PING.replace("settimeout(10)", "settimeout(0.3)")
    where = place("front", "172.18.0.77", "anew")
    world.ask("room", "anew", where)
    world.ask("cut", "anew", "web")
    world.ask("leave", "anew")
    world.ask("room", "anew", where)
    assert world.ask("run", "web", short, "172.18.0.77")[0] != 0
    world.ask("leave", "anew")
    world.ask("heal", "anew")
    world.ask("room", "anew", where)
    assert world.run("web", PING, "172.18.0.77")
    world.ask("leave", "anew")


RECEIVES = """
import socket
link = socket.socket(type=socket.SOCK_DGRAM)
link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
link.bind(("0.0.0.0", 8110))
print("ready")
while link.recv(10) != b"end":
    print("got")
print("ended")
"""

SENDS = """
import socket, time
link = socket.socket(type=socket.SOCK_DGRAM)
for number in range(400):
    link.sendto(b"x", ("172.19.0.3", 8110))
    if number % 50 == 0:
        time.sleep(0.01)
"""

ENDS = SENDS.replace('b"x"', 'b"end"')


def test_a_share_of_the_packets_is_lost_and_none_any_more_when_it_has_healed(world):
    for percent, least, most in ((50, 120, 280), (0, 400, 400)):
        pid = world.ask("start", "db", RECEIVES)
        world.wait_for(pid, "ready")
        world.ask("lose", "web", "db", percent)
        world.run("web", SENDS)
        world.run("web", ENDS)
        world.wait_for(pid, "ended")
        assert least <= world.ask("end", pid).count("got") <= most


TIMED = """
import socket, sys, time
link = patient((sys.argv[1], int(sys.argv[2])), 30)
data = bytes(int(sys.argv[3]))
began = time.monotonic()
link.sendall(data)
link.shutdown(socket.SHUT_WR)
size = 0
while more := link.recv(65536):
    size += len(more)
print(size, time.monotonic() - began)
"""

WHOLE = """
import socket, sys
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("listens")
while True:
    link, _ = listener.accept()
    with link:
        link.sendall(b"".join(iter(lambda: link.recv(65536), b"")))
"""


@pytest.mark.parametrize(
    ("room", "address", "server"), [("web", DB, "db"), ("db", "172.19.0.2", "web")]
)
def test_everything_arrives_late_and_whole_in_both_directions(world, room, address, server):
    pid = world.listener(server, WHOLE, 8120)
    world.ask("pace", "web", "db", {"delay": 0.3, "jitter": 0.1})
    size, seconds = world.run(room, RETRY + TIMED, address, 8120, 300_000).split()
    assert int(size) == 300_000
    assert float(seconds) >= 0.4
    world.ask("end", pid)


def test_a_slow_line_takes_its_time(world):
    pid = world.listener("db", WHOLE, 8121)
    world.ask("pace", "web", "db", {"rate": 200_000})
    size, seconds = world.run("web", RETRY + TIMED, DB, 8121, 100_000).split()
    assert int(size) == 100_000
    assert float(seconds) >= 0.9  # there and back
    world.ask("end", pid)


def test_a_line_that_has_healed_lets_connections_pass_by_themselves(world):
    world.serve("db", 8122)
    world.ask("pace", "web", "db", {"delay": 0.01})
    assert world.run("web", RETRY + ASK, DB, 8122) == "db 172.19.0.2 hi"
    world.ask("heal")
    assert world.run("web", RETRY + ASK, DB, 8122) == "db 172.19.0.2 hi"
    assert world.run("web", LISTENING) == "0"


LISTENING = """
with open("/proc/net/tcp") as file:
    print(sum("0100007F" in line.split()[1] for line in file))
"""


def test_a_refused_connection_over_a_slow_line_breaks(world):
    world.ask("pace", "web", "db", {"delay": 0.01})
    assert world.run("web", BREAKS, DB, 8199) == "broke"


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        pytest.param("web", "nobody", "nobody is not part of the stack's network", id="unknown"),
        pytest.param("other", "db", "other and db have no network in common", id="apart"),
        pytest.param("db", "db", "db and db have no network in common", id="the same"),
    ],
)
def test_a_fault_that_can_not_be_is_said(world, one, other, said):
    with pytest.raises(ValueError, match=said):
        world.ask("cut", one, other)
