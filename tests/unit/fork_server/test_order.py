"""What a fork server is told arrives whole, with its handles."""

import os
import socket

import pytest

from stackproof.engines.process.fork_server import order
from stackproof.engines.process.fork_server.order import receive, send


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_values_arrive_with_their_handles(ends):
    ours, theirs = ends
    reading, writing = os.pipe()
    send(ours, {"a": "ü" * 3000}, [writing])
    value, [handle] = receive(theirs)
    os.write(handle, b"x")
    assert (value, os.read(reading, 1)) == ({"a": "ü" * 3000}, b"x")
    assert not os.get_inheritable(handle)
    for each in (reading, writing, handle):
        os.close(each)


def test_one_that_answers_and_ends_at_once_has_been_told_all(ends, monkeypatch):
    ours, theirs = ends
    usual = socket.send_fds

    def and_end(link, message, handles):
        sent = usual(link, message, handles)
        send(theirs, {"refused": "no"})
        theirs.close()
        return sent

    monkeypatch.setattr(order.socket, "send_fds", and_end)
    send(ours, {"a": 1}, [ours.fileno()])
    assert receive(ours) == ({"refused": "no"}, [])
