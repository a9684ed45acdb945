"""Gemini in the modes record, replay, live and check: a second gateway plays the provider."""

import asyncio
import json

import pytest
from packages.gateway.tests.bare_app import HOST, WITH_TOKEN
from packages.gateway.tests.rig import KEY

from stackproof_gateway.options import Options
from stackproof_gateway.provider.endpoints import is_passed_on
from stackproof_gateway.provider.prices import UnpricedError, load_prices
from stackproof_gateway.provider.starting import make_check
from stackproof_gateway.provider.usage import usage_of, written_bytes

MODEL = "gemini-2.5-flash-lite"
PATH = f"/v1beta/models/{MODEL}:generateContent"
FIRST, SECOND = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "12")
STREAM = "streamGenerateContent"


def said(text, **config):
    contents = [{"role": "user", "parts": [{"text": text}]}]
    return {"contents": contents, "generationConfig": {"maxOutputTokens": 50, **config}}


@pytest.fixture
def asks(http):
    """Asks a gateway a few kinds of calls; gives back the texts of all answers."""

    def asked(gateway, text, calls=None, headers=None, **query):
        found = []
        for method, further in calls or CALLS:
            embeds = method == "embedContent"
            body = {"content": {"parts": [{"text": text}]}} if embeds else said(text)
            model = "gemini-embedding-001" if embeds else MODEL
            url = f"{gateway.gemini_base_url}/v1beta/models/{model}:{method}"
            headers = headers if headers is not None else {"x-goog-api-key": "any"}
            response = http.post(url, json=body, headers=headers, params={**further, **query})
            assert response.status_code == 200, response.text
            found.append(response.text)
        return found

    return asked


CALLS = [("generateContent", {}), (STREAM, {"alt": "sse"}), (STREAM, {}), ("embedContent", {})]


def test_what_was_recorded_is_replayed_whatever_key_the_client_sends(rig, asks):
    recorded = asks(rig.gateway("record"), "one two", headers={}, key="my-key-1234567890")
    count = len(rig.provider.requests())
    replay = rig.gateway("replay")
    replayed = asks(replay, "one two")
    assert json.loads(replayed.pop(2)) == json.loads(recorded.pop(2))
    assert replayed == recorded
    assert len(rig.provider.requests()) == count == len(CALLS)
    assert [(call.source, call.model) for call in replay.requests()][:2] == [("replay", MODEL)] * 2
    kept = "".join(path.read_text() for path in rig.cassettes.glob("*.yaml"))
    assert "key=" not in kept
    assert KEY not in kept


def test_a_stream_passes_byte_for_byte(rig, asks):
    found = [asks(rig.gateway(mode), "one two", CALLS[1:2]) for mode in ("live", "record")]
    texts = [text.split('"responseId"')[0] for (text,) in found]
    assert texts[0] == texts[1]
    assert found[0][0].endswith("\r\n\r\n")


def test_values_that_change_are_put_into_replayed_answers(rig, asks):
    asks(rig.gateway("record"), f"task {FIRST} of 2026-11-25")
    answers = asks(rig.gateway("replay"), f"task {SECOND} of 2026-11-26")
    for answer in answers[:3]:
        assert SECOND in answer
        assert FIRST not in answer


def test_what_an_answer_cost_is_told_by_its_own_counts(rig, asks):
    gateway = rig.gateway("live")
    asks(gateway, "one two three", CALLS[:3])
    price = load_prices().models[MODEL]
    for entry in gateway.requests():
        assert entry.usage["completion_tokens"] == 4
        assert entry.usd == pytest.approx(float(price.input * 3 + price.output * 4) / 10**6)


@pytest.mark.parametrize("fault", ["cut", "eof"])
def test_faults_spoil_replayed_answers(rig, asks, http, fault):
    asks(rig.gateway("record"), "one two", CALLS[:2])
    gateway = rig.gateway("replay")
    base = gateway.gemini_base_url + f"/f/{fault}"
    url = f"{base}/v1beta/models/{MODEL}:{STREAM}?alt=sse"
    headers = {"x-goog-api-key": "any"}
    with http.stream("POST", url, json=said("one two"), headers=headers) as response:
        if fault == "eof":
            assert '"finishReason"' not in response.read().decode()
            return
        with pytest.raises(Exception, match=r"incomplete|closed|ended"):
            response.read()


def test_an_end_without_a_reason_is_played_on_a_replayed_plain_answer(rig, asks, http):
    asks(rig.gateway("record"), "one two", CALLS[:1])
    url = f"{rig.gateway('replay').gemini_base_url}/f/eof{PATH}"
    answer = http.post(url, json=said("one two"), headers={"x-goog-api-key": "any"}).json()
    assert answer["candidates"][0]["finishReason"] is None


def test_a_script_goes_before_the_recording_and_sees_what_is_embedded(rig, asks):
    gateway = rig.gateway("live")
    gateway.when(text="scripted").reply("mine")
    assert '"mine"' in asks(gateway, "scripted", CALLS[:1])[0]
    gateway.when("gemini-embedding-*", text="a text").reply(error={"status": 400})
    with pytest.raises(AssertionError, match="INVALID_ARGUMENT"):
        asks(gateway, "a text", CALLS[3:])
    assert rig.provider.requests() == []


def test_the_provider_gets_its_own_key_and_not_the_clients(spending):
    spending.sent.clear()
    body = json.dumps(said("x")).encode()
    headers = [HOST, WITH_TOKEN, ("x-goog-api-key", "mine"), ("x-goog-api-client", "genai/1")]
    spending.send("POST", PATH.encode(), headers, body, b"key=mine&alt=sse")
    (request,) = spending.sent
    assert str(request.url) == f"https://generativelanguage.googleapis.com{PATH}?alt=sse"
    assert request.headers["x-goog-api-key"] == KEY
    assert request.headers["x-goog-api-client"] == "genai/1"
    assert "mine" not in str(request.headers)


@pytest.mark.parametrize(
    ("method", "path", "passed"),
    [
        ("POST", PATH, True),
        ("POST", f"/v1/models/{MODEL}:countTokens", True),
        ("GET", "/v1beta/models", True),
        ("DELETE", "/v1beta/files/abc", True),
        ("POST", "/upload/v1beta/files", True),
        ("GET", "/upload/v1beta/files", False),
        ("POST", "/upload/v1beta/models", False),
        ("POST", f"/v1beta/models/{MODEL}:tune", False),
        ("POST", "/v1beta/tunedModels", False),
        ("GET", "/v1beta/../admin", False),
        ("POST", "/v1beta/chat/completions", False),
    ],
)
def test_only_known_endpoints_of_google_are_passed_on(method, path, passed):
    assert is_passed_on(method, path) is passed


def bound(body, path=PATH):
    return load_prices().bound("POST", path, body, len(json.dumps(body)))


def test_a_call_is_bounded_by_its_bytes_and_all_its_candidates():
    body = said("x", candidateCount=3)
    assert bound(body).tokens == len(json.dumps(body)) + 150
    assert bound({"contents": []}).answered == load_prices().models[MODEL].max_output
    assert bound(body, "/v1beta/models/gemini-embedding-001:embedContent").answered == 0
    assert bound(body, f"/v1beta/models/{MODEL}:countTokens").usd == 0


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"mimeType": "image/png", "data": ""}},
        {"file_data": {"file_uri": "files/x"}},
    ],
)
def test_what_is_not_text_is_bounded_by_the_models_context(part):
    body = said("x")
    body["contents"][0]["parts"].append(part)
    assert bound(body).tokens == 1048576 + 50


@pytest.mark.parametrize(
    "further",
    [
        {"tools": [{"googleSearch": {}}]},
        {"tools": [{"code_execution": {}}]},
        {"contents": [{"parts": [{"inlineData": {"mimeType": "audio/wav", "data": ""}}]}]},
        {"generationConfig": {"response_modalities": ["AUDIO"]}},
        {"serviceTier": "priority"},
    ],
)
def test_what_has_another_price_is_not_sent(further):
    with pytest.raises(UnpricedError):
        bound({**said("x"), **further})


def test_thoughts_are_paid_as_an_answer_is():
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 4, "thoughtsTokenCount": 5,
             "cachedContentTokenCount": 2, "totalTokenCount": 12}  # fmt: skip
    counted = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    plain = json.dumps({"usageMetadata": usage}).encode()
    listed = json.dumps([{"usageMetadata": {"promptTokenCount": 3}}, {"usageMetadata": usage}])
    assert usage_of(plain, stream=False) == usage_of(listed.encode(), stream=False) == counted
    events = b"data: " + plain + b"\r\n\r\n"
    assert usage_of(events, stream=True) == counted
    piece = {"candidates": [{"content": {"parts": [{"text": "abc"}], "role": "m"}}]}
    assert written_bytes(b"data: " + json.dumps(piece).encode()) == 4


def test_a_check_asks_google_again(rig, asks):
    asks(rig.gateway("record"), "one two", CALLS[:2])
    rig.provider.when(text="one").reply("three")

    async def checked():
        checking, cassettes = make_check(Options(**rig.options("replay")))
        found = []
        for cassette in cassettes.by_key.values():
            found += await checking.check(cassette)
        await checking.forwarder.close()
        return found

    drifts = asyncio.run(checked())
    assert {drift.tier for drift in drifts} == {"text only"}
    assert len(drifts) == 2
