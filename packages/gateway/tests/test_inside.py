"""Requests that were handed in for later are calls as any other."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest
from packages.gateway.tests.bare_app import App

from stackproof_gateway.inside import Asked, Work
from stackproof_gateway.script_reading import read_script


def chat(name, text="hello", **fields):
    messages = [{"role": "user", "content": text}]
    return Asked(name, "/v1/chat/completions", {"model": "m", "messages": messages, **fields})


class Batch:
    """A gateway, and work that was handed in to it."""

    def __init__(self):
        self.app = App()
        self.namespace = self.app.app.state.namespaces.get("mine")
        self.told = []

    def hand_in(self, *asked):
        """Start, and wait until all is answered or a script holds a call."""

        async def begin():
            self.work = Work(call, asked, lambda *one: self.told.append(one))
            while not (self.work.is_done or self.is_held):  # noqa: ASYNC110 - a journal has no event
                await asyncio.sleep(0)

        headers = [(b"authorization", b"Bearer sk-any"), (b"user-agent", b"batcher"),
                   (b"content-length", b"7"), (b"x-stainless-retry-count", b"1")]  # fmt: skip
        request = SimpleNamespace(app=self.app.app, scope={"headers": headers})
        call = SimpleNamespace(request=request, namespace=self.namespace)
        self.app.runner.run(begin())

    def script(self, **given):
        self.namespace.scripts.add(read_script(given, name="s"), "")

    @property
    def is_held(self):
        return any(entry["script"] and not entry["status"] for entry in self.entries)

    @property
    def entries(self):
        return self.namespace.journal.to_json()

    @property
    def answers(self):
        return [(asked.custom_id, answered.status) for asked, answered in self.told]


@pytest.fixture
def batch():
    made = Batch()
    yield made
    made.app.runner.close()


def test_each_is_in_the_journal_of_the_namespace_and_is_answered_in_its_order(batch):
    batch.hand_in(chat("a", "one"), chat("b", "two"))
    assert batch.answers == [("a", 200), ("b", 200)]
    said = [answered.body["choices"][0]["message"]["content"] for _, answered in batch.told]
    assert said == ["echo: one", "echo: two"]
    assert [answered.request_id for _, answered in batch.told] == ["req_00000001", "req_00000002"]
    keys = ("path", "user_agent", "retry_count", "status")
    noted = [tuple(entry[key] for key in keys) for entry in batch.entries]
    assert noted == [("/v1/chat/completions", "batcher", None, 200)] * 2
    assert batch.work.is_done


def test_scripts_and_faults_and_checks_are_those_of_any_call(batch):
    batch.script(when={"text": "two"}, reply="scripted")
    batch.hand_in(
        chat("refused", temperature=9),
        chat("scripted", "two"),
        chat("fault", model="m-fail-once-x"),
        chat("after", model="m-fail-once-x"),
    )
    assert batch.answers == [("refused", 400), ("scripted", 200), ("fault", 500), ("after", 200)]
    assert batch.told[0][1].body["error"]["param"] == "temperature"
    assert batch.told[1][1].body["choices"][0]["message"]["content"] == "scripted"
    assert batch.entries[2]["fault"]["kind"] == "fail-once"


def test_an_answer_that_is_cut_has_no_body(batch):
    batch.hand_in(chat("cut", model="m-cut-x"), chat("next"))
    assert [answered.body is None for _, answered in batch.told] == [True, False]


@pytest.mark.parametrize("how", ["take_back", "reset"])
def test_what_is_taken_back_is_not_answered_even_if_a_script_holds_it(batch, how):
    batch.script(when={"text": "held"}, reply={"text": "never", "hold": "the-test"})
    batch.hand_in(chat("first"), chat("second", "held"), chat("third"))
    assert batch.answers == [("first", 200)]
    assert not batch.work.is_done
    if how == "reset":
        batch.app.app.state.namespaces.reset("mine")
    else:
        batch.work.take_back()
    assert batch.app.runner.run(batch.work.settle(5))
    assert batch.answers == [("first", 200)]
    assert [entry["client_closed"] for entry in batch.entries] == [False, True]


def test_what_breaks_the_work_is_not_taken_for_its_end(batch):
    batch.told = None  # so that telling fails
    batch.hand_in(chat("a"))
    with pytest.raises(AttributeError):
        batch.app.runner.run(batch.work.settle(5))
    assert batch.namespace.shelf.works == []


def test_a_held_request_is_answered_once_it_is_released(batch):
    batch.script(when={"text": "held"}, reply={"text": "now", "hold": "the-test"})
    batch.hand_in(chat("first", "held"))
    assert batch.answers == []
    batch.namespace.scripts.hold("the-test").set()
    with contextlib.closing(batch.app.runner):
        assert batch.app.runner.run(batch.work.settle(5))
    assert batch.answers == [("first", 200)]


def test_work_that_nobody_waits_for_ends_with_the_gateway(batch):
    batch.script(when={"text": "held"}, reply={"text": "now", "hold": "the-test"})
    batch.hand_in(chat("first", "held"))
    batch.app.runner.close()
    assert batch.work.is_done
