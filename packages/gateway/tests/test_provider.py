"""Record, replay, live: a second gateway plays the provider."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import openai
import pytest
import yaml
from packages.gateway.tests.rig import KEY, MODEL, TOKEN, ask

from stackproof_gateway.client import GatewayClient
from stackproof_gateway.options import Options
from stackproof_gateway.provider.drift import Drift, status_of
from stackproof_gateway.provider.starting import make_check
from stackproof_gateway.strict_fields import ScriptError


def test_what_was_recorded_is_replayed_without_the_provider(rig):
    with_provider = rig.client(rig.gateway("record"))
    recorded = ask(with_provider), list(ask(with_provider, stream=True))
    calls = len(rig.provider.requests())
    replay = rig.gateway("replay")
    client = rig.client(replay)
    assert (ask(client), list(ask(client, stream=True))) == recorded
    assert len(rig.provider.requests()) == calls == 2
    assert [call.source for call in replay.requests()] == ["replay", "replay"]


def test_a_stream_passes_byte_for_byte(rig):
    body = {"model": MODEL, "max_tokens": 20, "stream": True,
            "messages": [{"role": "user", "content": "one two three"}]}  # fmt: skip
    found = []
    for gateway in (rig.gateway("live"), rig.gateway("record")):
        rig.provider.reset()
        url = f"{gateway.openai_base_url}/chat/completions"
        found.append(httpx.post(url, json=body, headers={"authorization": "Bearer x"}).content)
    rig.provider.reset()
    direct = httpx.post(f"{rig.provider.openai_base_url}/chat/completions", json=body,
                        headers={"authorization": "Bearer x"}).content  # fmt: skip
    assert found == [direct, direct]


def test_the_provider_gets_the_real_key_and_no_trace_of_the_test(rig):
    gateway = rig.gateway("live")
    ask(rig.client(gateway))
    (entry,) = rig.provider.requests()
    assert "openai" in entry.user_agent.lower()
    assert KEY not in json.dumps([vars(call) for call in gateway.requests()], default=str)


def test_cassettes_are_readable_and_hold_no_secret(rig):
    client = rig.client(rig.gateway("record"))
    secret = "sk-proj-abcdefghijklmnopqrstuv"
    ask(client, f"my key is {secret}, keep it", extra_body={"user": KEY})
    (path,) = rig.cassettes.glob("*.yaml")
    text = path.read_text()
    assert secret not in text
    assert KEY not in text
    value = yaml.safe_load(text)
    assert value["request"]["body"]["messages"][0]["content"] == "my key is ***, keep it"
    assert value["replies"][0]["status"] == 200
    assert value["replies"][0]["client"].startswith("OpenAI")
    assert path.name.startswith("chat-completions-gpt-4o-mini-")


def test_a_masked_request_is_found_again(rig):
    text = "my key is sk-proj-abcdefghijklmnopqrstuv"
    ask(rig.client(rig.gateway("record")), text)
    assert ask(rig.client(rig.gateway("replay")), text.replace("abc", "xyz")).choices


def test_who_asks_does_not_matter_but_what_is_asked_does(rig):
    ask(rig.client(rig.gateway("record")), user="one")
    client = rig.client(rig.gateway("replay"))
    assert ask(client, user="two").choices
    with pytest.raises(openai.NotFoundError):
        ask(client, temperature=0.5)


def test_further_fields_can_be_left_out_of_the_comparison(rig):
    ask(rig.client(rig.gateway("record")), seed=1)
    assert ask(rig.client(rig.gateway("replay", ignore=("seed",))), seed=2).choices


def test_an_unknown_request_fails_with_the_difference_to_the_nearest_one(rig):
    recorder = rig.client(rig.gateway("record"))
    ask(recorder, "how is the weather in Oslo")
    ask(recorder, "something else entirely", temperature=1)
    gateway = rig.gateway("replay")
    with pytest.raises(openai.NotFoundError) as caught:
        ask(rig.client(gateway), "how is the weather in Bergen")
    message = caught.value.body["message"]
    assert "-  - role: user" not in message
    assert "content: how is the weather in Oslo" in message
    assert "content: how is the weather in Bergen" in message
    assert caught.value.code == "not_recorded"
    assert len(gateway.requests()) == 1


def test_repeated_requests_replay_their_answers_in_turn(rig):
    rig.provider.when(call=1).reply("first")
    rig.provider.when(call=1).reply("second")
    recorder = rig.client(rig.gateway("record"))
    assert [ask(recorder).choices[0].message.content for _ in range(2)] == ["first", "second"]
    gateway = rig.gateway("replay")
    client = rig.client(gateway)
    said = [ask(client).choices[0].message.content for _ in range(3)]
    assert said == ["first", "second", "second"]


def test_recording_again_replaces_what_was_recorded_in_an_earlier_run(rig):
    for text in ("old", "new"):
        rig.provider.reset()
        rig.provider.when().reply(text)
        ask(rig.client(rig.gateway("record")))
    assert ask(rig.client(rig.gateway("replay"))).choices[0].message.content == "new"


def test_recordings_that_nobody_asks_for_are_named(rig):
    recorder = rig.client(rig.gateway("record"))
    ask(recorder, "used")
    ask(recorder, "unused")
    gateway = rig.gateway("replay")
    ask(rig.client(gateway), "used")
    (name,) = gateway.unused_recordings()
    assert "unused" in (rig.cassettes / name).read_text()


def test_failures_that_pass_are_not_recorded(rig):
    rig.provider.arm("fail-once-http503")
    with pytest.raises(openai.InternalServerError):
        ask(rig.client(rig.gateway("record"), max_retries=0))
    assert list(rig.folder.glob("cassettes/*")) == []


def test_every_dialect_is_recorded_and_replayed(rig):
    def run(client):
        file = client.files.create(file=("a.txt", b"about databases"), purpose="assistants")
        store = client.vector_stores.create(file_ids=[file.id])
        return (
            client.responses.create(model=MODEL, input="x", max_output_tokens=20).output_text,
            client.embeddings.create(model="text-embedding-3-small", input="x").data[0].embedding,
            [model.id for model in client.models.list()],
            client.vector_stores.search(store.id, query="database").data[0].filename,
            client.files.content(file.id).read(),
        )

    recorded = run(rig.client(rig.gateway("record")))
    assert run(rig.client(rig.gateway("replay"))) == recorded


def test_anthropics_dialect_is_passed_on_with_its_own_key(rig):
    gateway = rig.gateway("record")
    body = {"model": "claude-haiku-4-5", "max_tokens": 9,
            "messages": [{"role": "user", "content": "x"}]}  # fmt: skip
    headers = {"x-api-key": "any", "anthropic-version": "2023-06-01"}
    url = f"{gateway.openai_base_url}/messages"
    assert httpx.post(url, json=body, headers=headers).json()["type"] == "message"
    assert gateway.requests()[0].usd > 0


def test_faults_go_before_the_provider(rig):
    gateway = rig.gateway("live")
    gateway.arm("fail-once")
    client = rig.client(gateway)
    with pytest.raises(openai.InternalServerError):
        ask(client)
    assert rig.provider.requests() == []
    assert ask(client).choices


SPENDERS = {
    "chat": ask,
    "stream": lambda client: list(ask(client, stream=True)),
    "responses": lambda client: client.responses.create(model=MODEL, input="x"),
    "embeddings": lambda client: client.embeddings.create(
        model="text-embedding-3-small", input="x"
    ),
    "models": lambda client: client.models.list(),
    "messages": lambda client: client.post(
        "/messages", cast_to=object,
        body={"model": "claude-haiku-4-5", "max_tokens": 9, "messages": []},
        options={"headers": {"anthropic-version": "2023-06-01"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPENDERS)
def test_a_budget_of_nothing_sends_nothing(rig, name):
    gateway = rig.gateway("live", budget_usd=Decimal(0))
    with pytest.raises(openai.APIStatusError) as caught:
        SPENDERS[name](rig.client(gateway))
    assert caught.value.status_code == 429
    assert "nothing was sent" in str(caught.value)
    assert rig.provider.requests() == []


def test_the_budget_is_never_overspent_by_calls_at_once_and_says_the_bill(rig):
    gateway = rig.gateway("live", budget_usd=Decimal("0.0002"))
    client = rig.client(gateway)

    refusals = []

    def outcome_of(_):
        try:
            return bool(ask(client, max_tokens=100).choices)
        except openai.RateLimitError as error:
            refusals.append(str(error))
            return False

    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(outcome_of, range(24)))
    assert all("budget of $0.0002 does not allow" in refusal for refusal in refusals)
    assert all("Spent so far: $0.0" in refusal for refusal in refusals)
    bill = gateway.bill()
    assert 0 < sum(outcomes) < 24
    assert len(rig.provider.requests()) == sum(outcomes) == bill["requests"]
    assert Decimal(bill["usd"]) <= Decimal("0.0002")
    assert bill["refused"] == 24 - sum(outcomes)


def test_what_was_reserved_is_replaced_by_the_price_of_the_answer(rig):
    gateway = rig.gateway("live")
    ask(rig.client(gateway), "a b c", max_tokens=1000)
    expected = Decimal("0.15") * 3 / 10**6 + Decimal("0.60") * 4 / 10**6
    assert Decimal(gateway.bill()["usd"]) == expected
    assert gateway.requests()[0].usd == pytest.approx(float(expected))
    assert gateway.bill()["bill"]["test"][MODEL]["requests"] == 1


def test_each_retry_of_the_client_is_reserved_as_well(rig):
    rig.provider.arm("always-fail-attempt")
    gateway = rig.gateway("live", budget_requests=2)
    with pytest.raises(openai.RateLimitError, match="2 requests is spent"):
        ask(rig.client(gateway))
    assert len(rig.provider.requests()) == 2


def test_tokens_have_a_limit_of_their_own(rig):
    gateway = rig.gateway("live", budget_tokens=50)
    with pytest.raises(openai.RateLimitError, match="budget of 50 tokens"):
        ask(rig.client(gateway), max_tokens=100)


def test_the_budget_survives_a_restart(rig):
    first = rig.gateway("live")
    ask(rig.client(first))
    spent = first.bill()["usd"]
    second = rig.gateway("live", budget_usd=Decimal(spent))
    assert second.bill()["usd"] == spent
    with pytest.raises(openai.RateLimitError):
        ask(rig.client(second))


def test_a_namespace_can_have_a_budget_of_its_own(rig):
    gateway = rig.gateway("live")
    gateway.limit_spending("0.000001")
    with pytest.raises(openai.RateLimitError, match="of test does not allow"):
        ask(rig.client(gateway))
    other = GatewayClient(gateway.base_url, "other", TOKEN)
    assert ask(rig.client(other)).choices
    other.close()


def test_a_model_without_a_price_is_refused_unless_it_is_priced(rig):
    with pytest.raises(openai.RateLimitError, match=r"price of the model 'gpt-99'.*--prices FILE"):
        ask(rig.client(rig.gateway("live")), model="gpt-99")
    prices = rig.folder / "prices.yaml"
    prices.write_text("models:\n  gpt-99: {input: 1, output: 2}\n")
    assert ask(rig.client(rig.gateway("live", prices=prices)), model="gpt-99").choices


def test_an_answer_of_unknown_length_is_refused(rig):
    prices = rig.folder / "prices.yaml"
    prices.write_text("models:\n  gpt-99: {input: 1, output: 2}\n")
    client = rig.client(rig.gateway("live", prices=prices))
    with pytest.raises(openai.RateLimitError, match="set max_tokens"):
        ask(client, model="gpt-99", max_tokens=None)


def test_a_provider_that_is_not_there_costs_nothing(rig):
    gateway = rig.gateway("live", openai_url="http://127.0.0.1:9/v1")
    with pytest.raises(openai.InternalServerError, match="did not answer"):
        ask(rig.client(gateway, max_retries=0))
    assert Decimal(gateway.bill()["usd"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"llm": "live", "openai_key": "", "anthropic_key": "", "gemini_key": ""},
            "needs its key in the environment",
        ),
        ({"llm": "live", "budget_usd": None}, "needs a budget"),
        ({"llm": "record", "cassettes": None}, "needs a folder"),
        ({"llm": "replay", "cassettes": None}, "needs a folder"),
    ],
)
def test_a_mode_that_lacks_something_says_so_at_the_start(rig, serve, options, message):
    with pytest.raises(ScriptError, match=message), serve(**{**rig.options("live"), **options}):
        pass


def test_a_gateway_that_spends_nothing_has_no_bill(gateway):
    with pytest.raises(ValueError, match="there is no bill"):
        gateway.bill()


def check(rig):
    checking, cassettes = make_check(Options(**rig.options("check")))

    async def run():
        found = []
        for cassette in cassettes.by_key.values():
            found += await checking.check(cassette)
        await checking.forwarder.close()
        return found

    return asyncio.run(run())


def test_no_drift_where_the_provider_answers_in_the_same_form(rig):
    client = rig.client(rig.gateway("record"))
    ask(client)
    list(ask(client, "stream", stream=True))
    assert check(rig) == []


@pytest.mark.parametrize("stream", [False, True])
def test_another_text_in_the_same_form_is_told_apart(rig, stream):
    answer = ask(rig.client(rig.gateway("record")), stream=stream)
    list(answer)
    rig.provider.when().reply("quite another text of another length")
    (drift,) = check(rig)
    assert str(drift).endswith(
        ": text: 'echo: hello' -> 'quite another text of another length' (text only)"
    )
    told = "check: text only (0 removed, 0 type changed, 0 added, 1 text only)"
    assert status_of([drift]) == (told, 0)


def test_drift_is_found_with_its_severity(rig):
    ask(rig.client(rig.gateway("record")))
    (path,) = rig.cassettes.glob("*.yaml")
    value = yaml.safe_load(path.read_text())
    answer = value["replies"][0]["json"]
    answer["gone"] = "x"
    answer["created"] = "not a number"
    del answer["system_fingerprint"]
    path.write_text(yaml.safe_dump(value))
    found = {drift.field: drift.breaking for drift in check(rig)}
    assert found == {"body.gone": True, "body.created": True, "body.system_fingerprint": False}
    assert status_of(check(rig)) == (
        "check: removed (1 removed, 1 type changed, 1 added, 0 text only)", 1,
    )  # fmt: skip


def test_a_check_has_the_status_of_its_worst_tier():
    removed, changed, added = (
        Drift("x", "y", *kinds) for kinds in (("a", ""), ("a", "b"), ("", "b"))
    )
    assert status_of([added, changed]) == (
        "check: type changed (0 removed, 1 type changed, 1 added, 0 text only)", 1,
    )  # fmt: skip
    assert status_of([added])[1] == 0
    assert status_of([added, removed])[0].startswith("check: removed")
    assert status_of([]) == (
        "check: unchanged (0 removed, 0 type changed, 0 added, 0 text only)", 0,
    )  # fmt: skip


def test_a_replay_knows_what_it_has_served_and_what_a_namespace_has_missed(rig):
    recorder = rig.client(rig.gateway("record", "test-a-0123abcd"))
    ask(recorder, "one 2026-11-26")
    ask(recorder, "two")
    ask(rig.client(rig.gateway("record", "test-b-0123abcd")), "three")
    gateway = rig.gateway("replay", "test-a-98765432")
    headers = {"X-Gateway-Token": TOKEN}

    def served():
        url = f"{gateway.base_url}/_gateway/recordings"
        return httpx.get(url, headers=headers).json()["served"]

    assert served() == 0
    assert len(gateway.missed_recordings()) == 2
    ask(rig.client(gateway), "one 2026-11-27")
    (name,) = gateway.missed_recordings()
    assert "two" in (rig.cassettes / name).read_text()
    ask(rig.client(gateway), "two")
    assert gateway.missed_recordings() == []
    assert served() == 2


def test_a_check_stays_within_the_budget_and_counts(rig):
    gateway = rig.gateway("record")
    ask(rig.client(gateway))
    before = gateway.bill()["requests"]
    check(rig)
    assert gateway.bill()["requests"] == before + 1
    assert "check" in gateway.bill()["bill"]


def test_a_client_that_leaves_in_mid_stream_harms_nobody(rig):
    rig.provider.when(text="slow").reply("word " * 50, between_tokens=0.05)
    gateway = rig.gateway("live")
    body = {"model": MODEL, "max_tokens": 20, "stream": True,
            "messages": [{"role": "user", "content": "slow"}]}  # fmt: skip
    url = f"{gateway.openai_base_url}/chat/completions"
    with httpx.stream("POST", url, json=body, headers={"authorization": "Bearer x"}) as answer:
        next(answer.iter_raw())
    assert ask(rig.client(gateway)).choices
    assert Decimal(gateway.bill()["usd"]) > 0
