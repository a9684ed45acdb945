"""What a fork server and its owner say to each other is heard by whom it is for."""

import os
import socket
from select import select
from types import SimpleNamespace

import pytest

from stackproof.engines.process.fork_server import server as module
from stackproof.engines.process.fork_server.kept import Kept
from stackproof.engines.process.fork_server.order import send
from stackproof.engines.process.fork_server.server import ForkServer


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def kept(ends, monkeypatch):
    """A fork server that is ready, and whose part the test plays."""
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: SimpleNamespace(poll=lambda: None))
    made = Kept("/venv/bin/python", {})
    made._link.close()
    made._link, made.was_ready = ends[0], True
    return made


def readable(link):
    return bool(select([link], [], [], 0)[0])


def test_an_answer_is_left_to_the_thread_that_has_asked(kept, ends):
    with kept._hearing:
        send(ends[1], {"modules": ["json"]})
        assert kept.is_ready()
        assert readable(ends[0])
    assert kept.modules() == ["json"]


def test_copies_that_have_failed_are_heard_of_by_the_way(kept, ends):
    send(ends[1], {"failed": "one"})
    send(ends[1], {"failed": "another"})
    assert kept.is_ready()
    assert kept.failures == ["one", "another"]
    send(ends[1], {"failed": "a third"})
    send(ends[1], {"modules": ["json"]})
    assert kept.modules() == ["json"]
    assert kept.failures == ["one", "another", "a third"]


def test_a_link_that_is_closed_meanwhile_is_no_error(kept, ends):
    ends[0].close()
    assert kept.is_ready()
    assert kept.modules() == []


def test_another_user_is_not_listened_to(ends, monkeypatch):
    ours, theirs = ends
    assert module._user_of(theirs) == os.getuid()
    monkeypatch.setattr(module, "_user_of", lambda _: os.getuid() + 1)
    send(ours, {"token": "", "failed": "a stranger's word"})
    ForkServer(SimpleNamespace(), SimpleNamespace(), [])._answer(theirs)
    assert readable(theirs)
