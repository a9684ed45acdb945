"""Reading who listens from the kernel's tables, and what it means for a service's readiness."""

import asyncio
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.readiness.asking import Surroundings, ask
from stackproof.readiness.probes import ListeningProbe, probe_from_json, probe_to_json
from stackproof.readiness.sockets import listeners


@pytest.mark.parametrize(
    ("family", "address", "is_local"),
    [
        (socket.AF_INET, "127.0.0.1", True),
        (socket.AF_INET, "0.0.0.0", False),
        (socket.AF_INET6, "::1", True),
        (socket.AF_INET6, "::", False),
        (socket.AF_INET6, "::ffff:127.0.0.1", True),
    ],
)
def test_a_listening_socket_is_found_with_its_port_and_whether_it_is_local(
    family, address, is_local
):
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        port = listener.getsockname()[1]
        text = "".join(Path(f"/proc/self/net/{name}").read_text() for name in ("tcp", "tcp6"))
        (found,) = [each for each in listeners(text) if each.port == port]
        assert found.is_local is is_local
        assert found.inode == str(Path(f"/proc/self/fd/{listener.fileno()}").stat().st_ino)


@given(st.text(max_size=200))
def test_any_text_is_read(text):
    assert list(listeners(text)) == []


@pytest.mark.parametrize(
    ("ports", "answer"),
    [
        ({8000: True}, ""),
        ({9000: True}, ""),
        ({}, "nobody listens on 8000 or 9000 yet"),
        ({8080: True, 35000: False}, "listens on 8080, not on 8000 or 9000"),
        ({35000: False}, "nobody listens on 8000 or 9000 yet"),
        ({8000: False}, "listens on 127.0.0.1:8000 alone, where nobody reaches it; bind 0.0.0.0"),
        (None, ""),
    ],
)
def test_a_service_is_ready_when_it_listens_on_one_of_its_ports(ports, answer):
    async def listening():
        return ports

    around = Surroundings(None, None, None, listening)
    assert asyncio.run(ask(ListeningProbe((8000, 9000)), around)) == answer


def test_the_probe_survives_being_written_down():
    probe = ListeningProbe((8000, 9000))
    assert probe_from_json(probe_to_json(probe)) == probe
    assert str(probe) == "listens on port 8000 or 9000"
