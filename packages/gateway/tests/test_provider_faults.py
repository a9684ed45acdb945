"""Faults and scripts in front of the provider, and of what was recorded of it."""

import json
from decimal import Decimal

import httpx
import openai
import pytest
from packages.gateway.tests.rig import MODEL, ask

from stackproof.waiting import wait_until

BROKEN = r"(?i)incomplete|peer closed|connection"


@pytest.fixture(params=["replay", "record", "live"])
def asked(request, rig):
    """A gateway in each of the modes, before which `hello` was asked, plain and streamed."""
    if request.param == "replay":
        recorder = rig.client(rig.gateway("record"))
        ask(recorder)
        list(ask(recorder, stream=True))
    return rig.gateway(request.param)


def said(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_cut_breaks_the_connection_in_mid_stream(rig, asked):
    asked.arm("fail-once-cut")
    client = rig.client(asked)
    stream = iter(ask(client, stream=True))
    assert said([next(stream), next(stream)]) == "echo:"
    with pytest.raises(Exception, match=BROKEN):
        next(stream)
    assert said(ask(client, stream=True)) == "echo: hello"
    asked.assert_fault_reached_app()


def test_a_cut_breaks_a_plain_answer_in_its_middle(rig, asked):
    asked.arm("fail-once-cut")
    with pytest.raises(openai.APIConnectionError):
        ask(rig.client(asked, max_retries=0))


def test_a_clean_end_without_a_reason_is_all_that_is_missing(rig, asked):
    asked.arm("eof", times=2)
    client = rig.client(asked)
    chunks = list(ask(client, stream=True))
    assert said(chunks) == "echo: hello"
    assert {chunk.choices[0].finish_reason for chunk in chunks} == {None}
    assert ask(client).choices[0].finish_reason is None
    assert ask(client).choices[0].finish_reason == "stop"


def test_slow_is_slow_and_nothing_else(rig, asked):
    asked.arm("slow-50ms")
    assert ask(rig.client(asked)).choices[0].message.content == "echo: hello"
    assert asked.requests()[0].latency_ms >= 50


def test_a_script_that_says_something_answers_by_itself(rig, asked):
    before = len(rig.provider.requests())
    asked.when(text="never recorded").reply("scripted")
    client = rig.client(asked)
    assert ask(client, "never recorded").choices[0].message.content == "scripted"
    assert said(ask(client, "never recorded", stream=True)) == "scripted"
    assert len(rig.provider.requests()) == before
    assert {call.source for call in asked.requests()} == {"fake"}
    asked.assert_all_scripts_used()


def test_a_script_that_only_says_how_spoils_the_real_answer(rig, asked):
    asked.when(call=1).reply(error_after=3)
    asked.when(call=1).reply(malformed_after=2)
    client = rig.client(asked)
    with pytest.raises(openai.APIError, match="had an error"):
        list(ask(client, stream=True))
    with pytest.raises(json.JSONDecodeError):
        list(ask(client, stream=True))
    assert said(ask(client, stream=True)) == "echo: hello"


def test_a_scripted_error_is_answered_and_nothing_is_sent(rig, asked):
    before = len(rig.provider.requests())
    asked.when(MODEL).fail(400, message="not today", times=1)
    with pytest.raises(openai.BadRequestError, match="not today"):
        ask(rig.client(asked))
    assert len(rig.provider.requests()) == before


def test_a_script_finds_a_request_for_embeddings(rig):
    gateway = rig.gateway("live")
    gateway.when(path="/v1/embeddings", text="secret").fail(400, message="not this")
    client = rig.client(gateway)
    with pytest.raises(openai.BadRequestError, match="not this"):
        client.embeddings.create(model="text-embedding-3-small", input=["a secret"])
    assert client.embeddings.create(model="text-embedding-3-small", input="open").data


def test_a_stream_that_is_cut_is_recorded_and_priced_all_the_same(rig):
    gateway = rig.gateway("record")
    gateway.arm("fail-once-cut")
    with pytest.raises(Exception, match=BROKEN):
        list(ask(rig.client(gateway), stream=True, stream_options={"include_usage": True}))
    replay = rig.client(rig.gateway("replay"))
    chunks = ask(replay, stream=True, stream_options={"include_usage": True})
    assert said(chunks) == "echo: hello"
    expected = Decimal("0.15") * 1 / 10**6 + Decimal("0.60") * 2 / 10**6
    assert Decimal(gateway.bill()["usd"]) == expected


def test_a_stream_of_anthropic_and_one_of_responses_lose_their_ends(rig):
    gateway = rig.gateway("live")
    gateway.arm("eof")
    headers = {"authorization": "Bearer x", "anthropic-version": "2023-06-01"}
    body = {"model": "claude-haiku-4-5", "max_tokens": 9, "stream": True,
            "messages": [{"role": "user", "content": "x"}]}  # fmt: skip
    text = httpx.post(f"{gateway.openai_base_url}/messages", json=body, headers=headers).text
    assert "text_delta" in text
    assert "message_delta" not in text
    client = rig.client(gateway)
    kinds = [event.type for event in client.responses.create(model=MODEL, input="x", stream=True)]
    assert kinds[-1] == "response.output_text.delta"


def test_a_client_that_leaves_a_spoilt_stream_is_noted(rig):
    gateway = rig.gateway("live")
    gateway.when().reply(between_tokens=0.2)
    rig.provider.when().reply("word " * 100)
    body = {"model": MODEL, "max_tokens": 200, "stream": True,
            "messages": [{"role": "user", "content": "x"}]}  # fmt: skip
    url = f"{gateway.openai_base_url}/chat/completions"
    with httpx.stream("POST", url, json=body, headers={"authorization": "Bearer x"}) as answer:
        next(answer.iter_raw())
    wait_until(lambda: gateway.requests()[0].client_closed, timeout=10, what="it is noted")
