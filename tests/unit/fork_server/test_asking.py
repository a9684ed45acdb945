"""A supervisor starts a program anew where its fork server does not answer, and never twice."""

import socket
import threading

import pytest

from stackproof.engines.process.fork_server import asking
from stackproof.engines.process.fork_server.asking import ColdError, fork_by
from stackproof.engines.process.fork_server.order import Order, receive, send
from stackproof.engines.process.world.spec import RoomSpec

ORDER = Order(("python",), "a.py", "", (), {}, "/", None, (), RoomSpec("web", "/nowhere"))


class FakeRoom:
    """A room that no process is in."""

    handles = ()

    def start_by(self, fork):
        return fork(0)


@pytest.fixture
def server(tmp_path):
    """A fork server that can be told what to do with its connection."""
    name = f"stackproof-test-{tmp_path}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()

        def serve(work):
            def answer():
                link, _ = listener.accept()
                with link:
                    receive(link)
                    work(link)

            thread = threading.Thread(target=answer)
            thread.start()
            return thread, f"{name}:token"

        yield serve


def fork(address):
    return fork_by(address, FakeRoom(), ORDER, (0, 1, 2))


def test_a_server_that_is_stopped_can_begin_nothing_later(server, monkeypatch):
    monkeypatch.setattr(asking, "SECONDS", 0.05)
    given_up, seen = threading.Event(), []

    def late(link):
        given_up.wait(60)
        with pytest.raises(BrokenPipeError):
            send(link, {"pid": 7})
        seen.append("refused")

    thread, address = server(late)
    with pytest.raises(ColdError, match=r"has not answered in 0\.05 s"):
        fork(address)
    given_up.set()
    thread.join(60)
    assert seen == ["refused"]


def test_a_server_that_ends_without_an_answer_is_one_that_is_not_there(server):
    thread, address = server(lambda link: None)
    with pytest.raises(ColdError, match="no fork server answers: the other side has gone"):
        fork(address)
    thread.join(60)


def test_what_a_server_refuses_is_told(server):
    thread, address = server(lambda link: send(link, {"refused": "another environment"}))
    with pytest.raises(ColdError, match=r"^another environment$"):
        fork(address)
    thread.join(60)


def test_the_number_of_a_program_is_what_the_server_says(server):
    thread, address = server(lambda link: send(link, {"pid": 7}))
    assert fork(address) == 7
    thread.join(60)
