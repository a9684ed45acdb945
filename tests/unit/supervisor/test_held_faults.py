"""A fault of the network lasts as long as the connection over which it was asked for."""

import gc
import json
import socket
import threading
from types import SimpleNamespace

import pytest

from stackproof.engines.compose.faults import asking
from stackproof.engines.compose.faults.asking import Disturbing
from stackproof.engines.compose.faults.carrying_out import SOCKET
from stackproof.engines.network_faults import NetworkFault
from stackproof.engines.process.control import Control
from stackproof.errors import Refused
from stackproof.reaper.run_folder import RunFolder

CUT = NetworkFault("cut", "api", "db")


def ended(link):
    link.settimeout(20)
    return link.recv(1) == b""


@pytest.fixture
def asked(tmp_path):
    """A supervisor of the process engine: what holds a fault of it, and the other ends."""
    made, theirs = [Control(RunFolder(tmp_path, "shop-e2e"))], []  # the only reference to it

    def hold(_op, **_fields):
        mine, other = socket.socketpair()
        theirs.append(other)
        return mine

    made[0].questions = SimpleNamespace(hold=hold, ask=lambda *_, **__: iter([{"done": True}]))
    yield made, theirs
    for link in theirs:
        link.close()


def test_it_ends_with_the_process_that_asked_for_it(asked):
    (control,), links = asked
    control.disturb(CUT)
    asked[0].clear()
    del control
    gc.collect()
    assert ended(links[0])


@pytest.mark.parametrize("fault", [NetworkFault("heal", "api", "db"), NetworkFault("heal", "db")])
def test_it_ends_when_it_is_healed(asked, fault):
    (control,), links = asked
    control.disturb(CUT)
    control.disturb(fault)
    assert ended(links[0])


def test_another_fault_between_the_same_services_takes_its_place(asked):
    (control,), links = asked
    control.disturb(CUT)
    control.disturb(NetworkFault("lose", "db", "api", percent=20))
    assert ended(links[0])
    control.disturb(NetworkFault("heal"))
    assert ended(links[1])


@pytest.fixture
def supervisor(tmp_path, monkeypatch):
    """A supervisor of the compose engine that answers with what it is told to."""
    monkeypatch.setattr(asking, "refusal", lambda *_: "")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / SOCKET))
    listener.listen()
    answers, heard = [], []

    def serve():
        link, _ = listener.accept()
        with link, link.makefile("rw") as lines:
            for line in lines:
                heard.append(json.loads(line))
                lines.write(json.dumps(answers.pop() if answers else {}) + "\n")
                lines.flush()
        heard.append("the end")

    thread = threading.Thread(target=serve)
    thread.start()
    yield Disturbing(tmp_path, "unix:///var/run/docker.sock"), answers, heard, thread
    listener.close()


def test_the_compose_engine_is_asked_over_one_connection_until_all_is_healed(supervisor):
    disturbing, _, heard, thread = supervisor
    disturbing.ask(CUT)
    disturbing.renew(["db"])
    disturbing.ask(NetworkFault("heal", "api", "db"))
    thread.join(20)
    disturbing.renew(["db"])  # nothing is wrong, so nobody is asked
    assert [one if one == "the end" else one.get("renew") or one["kind"] for one in heard] == [
        "cut", ["db"], "heal", "the end",
    ]  # fmt: skip


def test_what_it_can_not_do_is_refused_with_its_reason(supervisor):
    disturbing, answers, _, thread = supervisor
    answers.append({"error": "db does not run", "remedy": "start it"})
    with pytest.raises(Refused, match="db does not run"):
        disturbing.ask(CUT)
    disturbing.ask(NetworkFault("heal"))
    thread.join(20)
    assert not thread.is_alive()
