"""A server behind a guard starts, stops, freezes and ends as if it listened on its port itself."""

import os
import signal
import socket
from pathlib import Path

import pytest

from stackproof.readiness.probes import HealthTiming, TcpProbe
from stackproof.reaper.port_claims import claim
from stackproof.waiting import wait_until

SERVER = """
import contextlib, os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
place = os.environ["PLACE"]
if os.path.exists(place):
    os.unlink(place)
listener = socket.socket(socket.AF_UNIX)
listener.bind(place)
listener.listen()
while True:
    link, _ = listener.accept()
    with contextlib.suppress(OSError):
        link.sendall(b"hello")
    link.close()
"""


@pytest.fixture
def port():
    held = []
    (found,) = claim(1, held)
    yield found
    for one in held:
        one.close()


@pytest.fixture
def guarded(rig, port):
    """A rig with a guarded server that is ready."""
    place = rig.run.path / "server.sock"
    spec = rig.spec(
        "db",
        SERVER,
        env={"PLACE": str(place)},
        ports=(port,),
        socket=str(place),
        probe=TcpProbe("127.0.0.1", port),
        timing=HealthTiming(interval=5.0),
        restart="always",
    )
    rig.start(spec)
    return rig


def greeting(port):
    with socket.create_connection(("127.0.0.1", port), 20) as link:
        return link.recv(10)


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 20).close()
    except ConnectionRefusedError:
        return False
    return True


def guards(rig):
    """Processes of the service that are its guard."""
    return [
        process
        for process in rig.processes("db")
        if b"process.guard" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    ]


def test_a_guarded_server_is_ready_and_answers_on_its_port(guarded, port):
    assert guarded.state("db").health == "healthy"
    assert greeting(port) == b"hello"
    assert len(guards(guarded)) == 1


def test_a_stopped_server_refuses_and_answers_when_it_is_started_again(guarded, port):
    guarded.control.control("stop", ["db"])
    assert not is_open(port)
    assert guards(guarded) == []
    guarded.control.control("start", ["db"])
    guarded.control.wait_ready(20, guarded.said.append)
    assert greeting(port) == b"hello"


def test_a_frozen_server_lets_its_clients_wait(guarded, port):
    guarded.control.control("pause", ["db"])
    with socket.create_connection(("127.0.0.1", port), 20) as link:
        link.settimeout(0.2)
        with pytest.raises(TimeoutError):
            link.recv(10)
        guarded.control.control("unpause", ["db"])
        link.settimeout(20)
        assert link.recv(10) == b"hello"


def test_a_killed_server_comes_back_with_a_new_guard(guarded, port):
    (before,) = guards(guarded)
    guarded.control.control("kill", ["db"])
    assert not before.is_alive()
    wait_until(
        lambda: greeting(port), timeout=20, what="it is back", retry_on=(ConnectionRefusedError,)
    )
    assert before not in guards(guarded)


def test_a_server_whose_guard_ends_is_started_anew(guarded, port):
    (guard,) = guards(guarded)
    os.kill(guard.pid, signal.SIGKILL)
    wait_until(lambda: guarded.state("db").restarts, timeout=20, what="a new start")
    wait_until(
        lambda: greeting(port), timeout=20, what="it is back", retry_on=(ConnectionRefusedError,)
    )
    assert "the guard of its port has ended with status -9" in guarded.log("db")


def test_a_port_that_somebody_has_is_named_before_the_server_starts(rig, port):
    place = str(rig.run.path / "server.sock")
    spec = rig.spec("db", SERVER, env={"PLACE": place}, ports=(port,), socket=place)
    with socket.create_server(("127.0.0.1", port)):
        rig.control.start([spec])
        wait_until(lambda: rig.state("db").state == "failed", timeout=20, what="its failure")
    assert guards(rig) == []
