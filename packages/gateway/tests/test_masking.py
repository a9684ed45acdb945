"""Recordings are committed: no form of a secret is in one, however a stream cuts it."""

import base64
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.secret_forms import CANARY, SPELLINGS, all_forms, survivors

from stackproof_gateway.provider.cassettes import RecordedReply
from stackproof_gateway.provider.masking import MASK, Masker
from stackproof_gateway.settings import options, parser
from stackproof_gateway.strict_fields import ScriptError

MASKER = Masker([CANARY])


def chat(piece, index=0):
    return {"choices": [{"index": index, "delta": {"content": piece}}]}


def anthropic(piece, index=0):
    return {"type": "content_block_delta", "index": index, "delta": {"text": piece}}


def responses(piece, index=0):
    return {"type": "response.output_text.delta", "output_index": index, "delta": piece}


def stream(events):
    lines = [f"event: x\ndata: {json.dumps(event)}\n\n" for event in events]
    return "".join(lines) + "data: [DONE]\n\n"


def texts(recorded, shape):
    """What the events of a stream say together, by index."""
    said = ["", ""]
    for line in recorded.splitlines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            for index in (0, 1):
                piece = next(iter(_strings(event)))
                if event == shape(piece, index):
                    said[index] += piece
    return said


def _strings(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and key in {"content", "text", "delta"}:
                yield item
            else:
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


@settings(deadline=None)
@given(
    st.sampled_from([chat, anthropic, responses]),
    st.sampled_from(sorted(SPELLINGS)),
    st.lists(st.integers(1, 9), min_size=3, max_size=12),
)
def test_a_secret_that_is_cut_over_events_is_masked(shape, form, sizes):
    whole, events = f"it is {SPELLINGS[form](CANARY)}, or so", []
    other = "nothing secret here"
    while whole:
        size = sizes[len(events) % len(sizes)]
        events += [shape(whole[:size], 0), shape(other[:size], 1)]
        whole, other = whole[size:], other[size:]
    recorded = MASKER.stream(stream(events))
    assert texts(recorded, shape)[0] == f"it is {MASK}, or so"
    assert "nothing secret here".startswith(texts(recorded, shape)[1])
    assert recorded.endswith("data: [DONE]\n\n")


def test_a_key_that_only_looks_like_one_is_masked_across_events_too():
    pieces = ["my sk-proj", "-abcdefghijkl", "mnopqrstuv end"]
    recorded = MASKER.stream(stream(map(chat, pieces)))
    assert texts(recorded, chat)[0] == f"my {MASK} end"


def test_a_secret_number_and_a_secret_in_names_are_masked_as_in_logs():
    masker = Masker(["12345678", "first-canary", "other-canary"])
    recorded = masker.value({"pin": 12345678, "first-canary": "a", "other-canary": "b", "n": 1})
    assert recorded == {"pin": MASK, MASK: "a", f"{MASK} (3)": "b", "n": 1}


@pytest.mark.parametrize(
    "name",
    ["password", "api_key", "apiKey", "x-api-key", "OPENAI_API_KEY", "Authorization", "passwd",
     "client_secret", "access_token", "refreshToken", "aws_secret_key"],
)  # fmt: skip
def test_a_value_whose_name_tells_a_secret_is_masked(name):
    assert Masker().value({name: "plain text", "other": [{name: "x"}]}) == {
        name: MASK, "other": [{name: MASK}],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["token", "next_page_token", "max_tokens", "secretary", "key"])
def test_what_a_replay_needs_is_no_secret_by_its_name(name):
    assert Masker().value({name: "plain text"}) == {name: "plain text"}


def test_what_looks_like_a_key_is_masked_in_bytes_too():
    assert b"sk-proj" not in Masker().data(b"\xff sk-proj-abcdefghijklmnopqrstuv \x00")


def test_a_stream_without_secrets_stays_byte_for_byte():
    text = 'data:{"choices": [ {"index":0,"delta":{"content":"a b"}}]}\n\n: comment\ndata: x\n\n'
    assert MASKER.stream(text) == text


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/json", json.dumps({"k": all_forms(), CANARY: 1}).encode()),
        ("text/plain", "\n".join(all_forms()).encode()),
        ("text/event-stream", stream([chat(form) for form in all_forms()]).encode()),
        ("audio/mpeg", b"\xff\x00" + CANARY.encode()),
    ],
)
def test_no_form_of_a_secret_is_in_a_recording(kind, content):
    reply = RecordedReply(200, {"content-type": kind}, content)
    value = reply.to_yaml(MASKER)
    assert survivors(CANARY, yaml.safe_dump(value, allow_unicode=True)) == []
    if "base64" in value:
        assert len(base64.b64decode(value["base64"])) == len(content)


def test_the_secrets_of_the_stack_and_of_its_environment_are_known():
    environment = {"DB_PASSWORD": "long-enough", "API_TOKEN": "short", "OTHER": "plain-value",
                   "GATEWAY_SECRETS": json.dumps([CANARY])}  # fmt: skip
    told = options(parser(environment).parse_args([]), environment)
    assert set(told.secrets) == {"long-enough", CANARY}
    assert CANARY not in repr(told)


@pytest.mark.parametrize("text", ["no list", "{}", "[1]"])
def test_a_list_of_secrets_that_is_none_is_refused_without_being_shown(text):
    with pytest.raises(ScriptError, match="GATEWAY_SECRETS") as refused:
        options(parser({}).parse_args([]), {"GATEWAY_SECRETS": text})
    assert text not in str(refused.value)
