"""A receipt is complete even where processes that take it end early: what is missing says why."""

import asyncio
import json
import os
import signal
from types import SimpleNamespace

import pytest

from stackproof.engines.process.children import Child
from stackproof.engines.process.receipt import taking
from stackproof.engines.process.receipt.probes import PROBES
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.world import failures

OPEN = {"probe": "ports", "verdict": "open", "attempts": []}


class FakePlace:
    """A service's place, whose process writes a text and ends with a status, or never."""

    def __init__(self, text=b"", status=0, error=None):
        self.text, self.status, self.error = text, status, error

    async def open(self):
        pass

    def call(self, work, streams):
        assert work.func is taking.run_all
        if self.error is not None:
            raise self.error
        os.write(streams[1], self.text)
        ended = asyncio.get_running_loop().create_future()
        child = SimpleNamespace(ended=ended, send=lambda number: ended.set_result(-number))
        if self.status is not None:
            ended.set_result(self.status)
            child.send = Child(0, ended).send
        return child


def taken(place):
    service = SimpleNamespace(place=place, spec=ServiceSpec("api", ("x",), {}, "/"))
    found = asyncio.run(taking._probe(service, None))
    assert [one["probe"] for one in found] == list(PROBES)
    return {one["probe"]: one for one in found}


def why(found):
    """What each probe that has told nothing says, which must be the same."""
    (text,) = {
        way["observed"] for one in found.values() for way in one["attempts"]
        if one["verdict"] == "untestable"
    }  # fmt: skip
    return text


def lines(*found, cut=b""):
    return b"".join(json.dumps(one).encode() + b"\n" for one in found) + cut


def told(error):
    reading, writing = os.pipe()
    failures.tell(writing, error)
    os.close(writing)
    with os.fdopen(reading, "rb") as text:
        return text.read()


def test_what_was_told_counts_and_the_rest_is_untestable():
    found = taken(FakePlace(lines(OPEN, cut=b'{"probe": "na'), status=-signal.SIGKILL))
    assert found["ports"] == OPEN
    assert len([one for one in found.values() if one["verdict"] == "untestable"]) == len(PROBES) - 1
    assert why(found) == "its process ended with status -9"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (lambda: FakePlace(error=OSError("no room")), "no process could be had in it: no room"),
        (
            lambda: FakePlace(told(failures.RoomError(1, "join the room", "it has gone")), 127),
            "join the room: it has gone",
        ),
        (lambda: FakePlace(told(ValueError("x")), 127), "try it: ValueError('x')"),
        (lambda: FakePlace(lines(OPEN), 3), "its process ended with status 3"),
    ],
)
def test_what_keeps_a_process_from_trying_is_said(place, words):
    assert why(taken(place())) == words


def test_a_process_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(taking, "SECONDS", 0.01)
    found = taken(FakePlace(lines(OPEN), status=None))
    assert (found["ports"], why(found)) == (OPEN, "it took too long")
