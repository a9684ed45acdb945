"""Faults: the grammar of their names, their units, and where they can be armed."""

import time

import httpx
import openai
import pytest

from stackproof.waiting import wait_until
from stackproof_gateway.faults import parse, parse_exactly

HELLO = [{"role": "user", "content": "hello"}]
KEY = {"authorization": "Bearer sk-any"}


def ask(client, model="m", **fields):
    return client.chat.completions.create(model=model, messages=HELLO, **fields)


@pytest.mark.parametrize(
    ("name", "kind", "unit", "nonce"),
    [
        ("m-fail-once-x", "fail-once", "surface", "x"),
        ("fail-once", "fail-once", "surface", ""),
        ("m-fail-2-http429-attempt-a.b", "fail-2-http429", "attempt", "a.b"),
        ("m-cut-call-ns", "cut", "call", "ns"),
        ("m-slow-500ms-n", "slow-500ms", "surface", "n"),
        ("m-eof", "eof", "surface", ""),
        ("m-fail-once-test-cut-x", "fail-once", "surface", "test-cut-x"),
    ],
)
def test_a_name_is_read_as_fault_words_a_unit_and_a_nonce(name, kind, unit, nonce):
    spec = parse(name)
    assert (spec.kind, spec.unit, spec.nonce) == (kind, unit, nonce)


@pytest.mark.parametrize("name", ["m", "cutter", "m-slower", "m-http299", "the-call", "m-call-x"])
def test_other_words_are_no_fault(name):
    assert parse(name) is None


def test_words_of_a_key_or_path_must_be_fault_words_only():
    assert parse_exactly("fail-once-call").unit == "call"
    assert parse_exactly("fail-once-nonce") is None


def test_slow_says_how_long_and_comes_before_a_failure():
    assert (parse("m-slow-3s-x").seconds, parse("m-slow-3s-x").manner) == (3.0, "slow")
    spec = parse("m-fail-once-slow-20ms-http503")
    assert (spec.seconds, spec.status, spec.manner, spec.times) == (0.02, 503, "status", 1)


def test_an_attempt_fails_once_and_the_client_absorbs_it(gateway, client):
    assert ask(client, "m-fail-once-attempt-x").choices
    (fault,) = gateway.faults()
    assert (fault.fault.unit, fault.fault.reached_app) == ("attempt", "absorbed")
    with pytest.raises(AssertionError, match="absorbed by the client"):
        gateway.assert_fault_reached_app()


def test_a_call_fails_with_all_its_tries_and_the_next_call_succeeds(gateway, client):
    with pytest.raises(openai.InternalServerError):
        ask(client, "m-fail-once-call-x")
    assert ask(client, "m-fail-once-call-x").choices
    assert [call.status for call in gateway.requests()] == [500, 500, 500, 200]
    assert [call.fault.reached_app for call in gateway.faults()] == [
        "repeated",
        "repeated",
        "reached",
    ]
    gateway.assert_fault_reached_app()


def test_a_status_can_be_answered_a_number_of_times(gateway, client):
    for _ in range(2):
        with pytest.raises(openai.RateLimitError):
            ask(client, "m-fail-2-http429-x")
    assert ask(client, "m-fail-2-http429-x").choices


def test_a_cut_stream_breaks_the_connection_after_the_first_words(gateway, client):
    stream = ask(client, "m-fail-once-cut-x", stream=True)
    with pytest.raises(Exception, match=r"(?i)incomplete|peer closed|connection"):
        list(stream)
    assert gateway.faults()[0].fault.kind == "fail-once-cut"
    assert len(list(ask(client, "m-fail-once-cut-x", stream=True))) > 2


def test_a_cut_plain_answer_fails_on_every_try_of_the_call(gateway, client):
    with pytest.raises(openai.APIConnectionError):
        ask(client, "m-fail-once-cut-x")
    assert ask(client, "m-fail-once-cut-x").choices
    assert [call.retry_count for call in gateway.requests()] == [0, 1, 2, 0]


def test_a_clean_end_without_a_reason_is_not_noticed_by_the_client(gateway, client):
    chunks = list(ask(client, "m-eof-x", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "echo: hello"
    assert {chunk.choices[0].finish_reason for chunk in chunks} == {None}
    raw = httpx.post(
        f"{gateway.openai_base_url}/chat/completions",
        json={"model": "m-eof-x", "messages": HELLO, "stream": True},
        headers=KEY,
    )
    assert "[DONE]" not in raw.text
    assert ask(client, "m-eof-x").choices[0].finish_reason is None


def test_a_slow_model_answers_later(client):
    began = time.monotonic()
    assert ask(client, "m-slow-300ms-x").choices
    assert time.monotonic() - began >= 0.3


def test_a_client_that_does_not_wait_is_noted(gateway):
    with (
        openai.OpenAI(
            base_url=gateway.openai_base_url, api_key="x", timeout=0.2, max_retries=0
        ) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        ask(client, "m-slow-5s-x")
    wait_until(
        lambda: any(call.client_closed for call in gateway.requests()),
        timeout=10,
        what="it is noted",
    )


def test_a_fault_in_the_base_url_hits_whatever_the_model_is_called(server, gateway):
    url = f"{server}/t/{gateway.namespace}/f/fail-once/v1"
    with openai.OpenAI(base_url=url, api_key="x") as client:
        with pytest.raises(openai.InternalServerError):
            ask(client, "gpt-4o")
        assert ask(client, "gpt-4o").choices
    assert [call.path for call in gateway.requests()] == ["/v1/chat/completions"] * 2


def test_words_in_the_base_url_that_are_no_fault_are_refused_with_the_known_ones(server, gateway):
    url = f"{server}/t/{gateway.namespace}/f/fail-onse/v1"
    told = "asks for the fault 'fail-onse', which is none; join by hyphens: fail-once, "
    with (
        openai.OpenAI(base_url=url, api_key="x") as client,
        pytest.raises(openai.BadRequestError, match=told),
    ):
        client.models.list()
    assert [entry.status for entry in gateway.requests()] == [400]


def test_a_fault_in_the_key_hits_whatever_the_model_is_called(server, gateway):
    key = f"{gateway.api_key}--fail-once-http503"
    with openai.OpenAI(base_url=f"{server}/v1", api_key=key) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            ask(client, "gpt-4o")
        assert caught.value.status_code == 503
        assert ask(client, "gpt-4o").choices
    assert len(gateway.requests()) == 2


def test_a_test_arms_a_fault_by_path(gateway, client):
    gateway.arm("fail-once-http503", path="/v1/embeddings")
    assert ask(client).choices
    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(model="e", input="x")
    assert client.embeddings.create(model="e", input="x").data


def test_a_test_arms_a_fault_by_pattern_of_the_model(gateway, client):
    gateway.arm("always-fail", model="gpt-*", times=2)
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            ask(client, "gpt-4o")
    assert ask(client, "gpt-4o").choices


def test_an_unknown_fault_is_refused_with_the_known_ones(gateway):
    with pytest.raises(ValueError, match=r"fail-onse.*not a fault; join by hyphens: fail-once"):
        gateway.arm("fail-onse")


def test_the_last_word_of_a_models_name_is_a_namespace_that_survives_queues(server, gateway):
    headers = {"authorization": "Bearer x"}
    for model in (f"m-fail-once-{gateway.namespace}", f"gpt-4o-ns-{gateway.namespace}"):
        httpx.post(f"{server}/v1/chat/completions", json={"model": model, "messages": HELLO},
                   headers=headers)  # fmt: skip
    assert [call.status for call in gateway.requests()] == [500, 200]


def test_retries_of_the_client_and_around_it_are_told_apart(gateway, client):
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            ask(client, "m-fail-2-call-x")
    (verdict,) = gateway.verdicts()
    assert (verdict.tries, verdict.amplification) == (6, 6.0)
    assert (verdict.client_amplification, verdict.outer_amplification) == (3.0, 2.0)
    assert "a layer around the client retries, too" in verdict.verdict


def test_fields_that_no_reference_knows_are_flagged(gateway, client):
    ask(client, extra_body={"zzz": 1, "seed": 3})
    assert gateway.requests()[0].unknown_fields == ["zzz"]
    assert "sends unknown fields: zzz" in gateway.verdicts()[0].verdict


def test_a_client_that_does_not_count_its_tries_is_not_judged(gateway):
    url = f"{gateway.openai_base_url}/chat/completions"
    httpx.post(url, json={"model": "m-fail-once-call-x", "messages": HELLO}, headers=KEY)
    with pytest.raises(AssertionError, match="does not count its retries"):
        gateway.assert_fault_reached_app()


def test_a_cut_breaks_answers_that_are_never_streams_as_well(gateway, client):
    gateway.arm("fail-once-cut", path="/v1/embeddings")
    with pytest.raises(openai.APIConnectionError):
        client.with_options(max_retries=0).embeddings.create(model="e", input="x")
    assert client.embeddings.create(model="e", input="x").data
    gateway.arm("eof", path="/v1/embeddings")
    assert client.embeddings.create(model="e", input="x").data
