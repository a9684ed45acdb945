"""What a call can cost before it is sent, and what it has cost afterwards."""

import contextlib
import json
from decimal import Decimal

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packages.gateway.tests.rig import MODEL, ask

from stackproof_gateway.provider.prices import UnpricedError, load_prices
from stackproof_gateway.provider.usage import usage_of, written_bytes

MILLION = Decimal(10**6)
TABLE = load_prices()
PART = {"role": "user", "content": [{"type": "text", "text": "what is this?"}]}


def bound(**body):
    body = {"model": MODEL, "max_tokens": 10, **body}
    return TABLE.bound("POST", "/v1/chat/completions", body, len(json.dumps(body)))


def with_part(**part):
    return [{**PART, "content": [*PART["content"], part]}]


def test_a_text_is_bounded_by_its_bytes_and_the_answer_by_what_is_asked_for():
    size = len(json.dumps({"model": MODEL, "max_tokens": 10, "messages": []}))
    cost = bound(messages=[])
    assert cost.tokens == size + 10
    assert cost.usd == (Decimal("0.15") * size + Decimal("0.60") * 10) / MILLION


@pytest.mark.parametrize(
    "further",
    [
        {"messages": with_part(type="image_url", image_url={"url": "https://x/y.png"})},
        {"messages": with_part(type="file", file={"file_id": "file-1"})},
        {"messages": with_part(type="document", source={"type": "url", "url": "https://x"})},
        {"input": [{"type": "input_image", "image_url": "https://x/y.png"}]},
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
    ],
)
def test_what_is_not_text_is_bounded_by_the_models_context(further):
    assert bound(**further).tokens == 128_000 + 10


@pytest.mark.parametrize(
    "further",
    [
        {"modalities": ["text", "audio"]},
        {"messages": with_part(type="input_audio", input_audio={"data": "", "format": "wav"})},
        {"service_tier": "priority"},
        {"web_search_options": {}},
        {"tools": [{"type": "web_search"}]},
    ],
)
def test_what_has_a_price_of_its_own_is_refused(further):
    with pytest.raises(UnpricedError, match="price"):
        bound(**further)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "id", "file_id", "text"]), below, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["n", "best_of", "max_tokens", "tools", "service_tier", "modalities", "audio", "messages",
     "prompt", "conversation", "model"]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(NAMES, ANY, max_size=5))
def test_any_request_has_a_bound_or_is_refused(body):
    with contextlib.suppress(UnpricedError):
        assert bound(**body).usd >= 0


ANTHROPIC = {"input_tokens": 10, "cache_creation_input_tokens": 1000,
             "cache_read_input_tokens": 5, "output_tokens": 7}  # fmt: skip


@pytest.mark.parametrize(
    ("told", "hour", "more"),
    [
        # where the lifetime is not told, the dearer one counts
        ({}, 1000, 1000),
        ({"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 400}, 400, 150 + 400),
        ({"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 0}, 0, 250),
        ({"ephemeral_5m_input_tokens": 200}, 800, 50 + 800),
    ],
)
def test_writes_to_the_cache_cost_more_and_most_for_an_hour(told, hour, more):
    usage = {**ANTHROPIC, **({"cache_creation": told} if told else {})}
    found = usage_of(json.dumps({"usage": usage}).encode(), stream=False)
    assert found == {"prompt_tokens": 1015, "completion_tokens": 7, "cache_write_tokens": 1000,
                     "cache_write_1h_tokens": hour, "total_tokens": 1022}  # fmt: skip
    cost = TABLE.cost("claude-haiku-4-5", found)
    assert cost.usd == (Decimal(1) * (1015 + more) + Decimal(5) * 7) / MILLION


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 100, "output_tokens": 0,
         "input_tokens_details": {"cache_write_tokens": 80}},
        {"prompt_tokens": 100, "completion_tokens": 0,
         "prompt_tokens_details": {"cache_write_tokens": 80, "cached_tokens": 0}},
    ],
)  # fmt: skip
def test_writes_to_openais_cache_cost_a_quarter_more(usage):
    found = usage_of(json.dumps({"usage": usage}).encode(), stream=False)
    assert TABLE.cost("gpt-6-sol", found).usd == Decimal(4) * (100 + 20) / MILLION


def test_the_end_of_a_stream_that_tells_less_lowers_no_count():
    events = [{"message": {"usage": {**ANTHROPIC, "output_tokens": 1}}},
              {"usage": {"input_tokens": 10, "output_tokens": 7}}]  # fmt: skip
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    found = usage_of(stream, stream=True)
    assert (found["prompt_tokens"], found["completion_tokens"]) == (1015, 7)


def test_a_request_that_writes_to_a_cache_is_bounded_by_what_that_costs():
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = {"model": "claude-haiku-4-5", "max_tokens": 1, "system": [part]}
    assert TABLE.bound("POST", "/v1/messages", body, 100).usd == Decimal(2 * 100 + 5) / MILLION
    asked = TABLE.bound("POST", "/v1/responses", {"model": "gpt-6-sol", "max_tokens": 1}, 100)
    assert asked.usd == (Decimal(4) * 125 + 15) / MILLION


def test_the_text_of_a_stream_is_counted_in_every_dialect():
    events = [
        {"choices": [{"delta": {"content": "four"}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": "{}"}}]}}]},
        {"choices": [{"text": "six   "}]},
        {"type": "response.output_text.delta", "delta": "ä"},
        {"type": "content_block_delta", "delta": {"partial_json": "12345"}},
        {"choices": "no list"},
    ]
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    assert written_bytes(stream) == 4 + 2 + 6 + 2 + 5


def spent(gateway):
    return Decimal(gateway.bill()["usd"])


def test_a_stream_that_tells_no_usage_costs_what_it_wrote_and_can_have_been_asked(rig):
    gateway = rig.gateway("live")
    body = json.dumps({"model": MODEL, "max_tokens": 1000, "stream": True,
                       "messages": [{"role": "user", "content": "hello"}]})  # fmt: skip
    text = httpx.post(f"{gateway.openai_base_url}/chat/completions", content=body,
                      headers={"authorization": "Bearer x"}).text  # fmt: skip
    assert '"usage"' not in text
    written = len("assistant") + len("echo: hello")
    assert spent(gateway) == (Decimal("0.15") * len(body) + Decimal("0.60") * written) / MILLION
    assert gateway.requests()[0].usd == pytest.approx(float(spent(gateway)))


def test_a_stream_of_a_model_that_hides_tokens_costs_all_that_was_reserved(rig):
    gateway = rig.gateway("live")
    list(
        ask(
            rig.client(gateway),
            model="gpt-5-mini",
            stream=True,
            max_tokens=None,
            max_completion_tokens=1000,
        )
    )
    assert spent(gateway) >= Decimal(2) * 1000 / MILLION


def test_a_stream_that_tells_its_usage_costs_that(rig):
    gateway = rig.gateway("live")
    fields = {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 1000}
    list(ask(rig.client(gateway), "a b c", **fields))
    assert spent(gateway) == (Decimal("0.15") * 3 + Decimal("0.60") * 4) / MILLION


def test_what_the_provider_refuses_costs_nothing(rig):
    gateway = rig.gateway("live")
    with pytest.raises(openai.BadRequestError):
        ask(rig.client(gateway), temperature=9)
    assert spent(gateway) == 0


def test_the_ledger_says_that_and_why_the_budget_is_spent(rig):
    gateway = rig.gateway("live", budget_usd=Decimal("0.000001"))
    assert gateway.bill()["spent"] == ""
    with pytest.raises(openai.RateLimitError):
        ask(rig.client(gateway))
    assert "budget of $0.000001 does not allow" in gateway.bill()["spent"]


def test_the_limit_of_one_namespace_does_not_end_the_session(rig):
    gateway = rig.gateway("live")
    gateway.limit_spending("0.000001")
    with pytest.raises(openai.RateLimitError):
        ask(rig.client(gateway))
    assert (gateway.bill()["refused"], gateway.bill()["spent"]) == (1, "")


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/v1/responses/input_tokens"])
def test_counting_tokens_costs_nothing_whatever_the_model(path):
    body = {"model": "unknown", "input": "hello"}
    assert TABLE.bound("POST", path, body, 30).usd == 0
