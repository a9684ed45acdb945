"""Anthropic's dialect, parsed by its official client."""

import json

import anthropic
import pytest

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {
    "name": "book",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Oslo"]}},
        "required": ["city"],
    },
}


@pytest.fixture
def client(gateway):
    url = f"{gateway.base_url}/t/{gateway.namespace}"
    with anthropic.Anthropic(base_url=url, api_key="sk-any", timeout=30) as made:
        yield made


def ask(client, **fields):
    return client.messages.create(**{"model": "m", "max_tokens": 100, "messages": HELLO, **fields})


def test_a_message_echoes(client):
    message = ask(client)
    assert (message.content[0].text, message.stop_reason) == ("echo: hello", "end_turn")
    assert message.usage.output_tokens == 2


def test_a_stream_brings_the_same(client):
    with client.messages.stream(model="m", max_tokens=100, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == "echo: hello"
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 2)


def test_a_tool_is_used_where_it_must_be_plain_and_streamed(client):
    fields = {"tools": [TOOL], "tool_choice": {"type": "any"}}
    message = ask(client, **fields)
    assert (message.stop_reason, message.content[0].input) == ("tool_use", {"city": "Oslo"})
    with client.messages.stream(model="m", max_tokens=9, messages=HELLO, **fields) as stream:
        assert stream.get_final_message().content[0].input == {"city": "Oslo"}


def test_a_script_answers_the_result_of_a_tool(gateway, client):
    gateway.when(tool_result="21").reply("It is 21 degrees.")
    block = ask(client, tools=[TOOL], tool_choice={"type": "any"}).content[0]
    called = block.model_dump(include={"type", "id", "name", "input"})
    messages = [
        *HELLO,
        {"role": "assistant", "content": [called]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": block.id, "content": "21 degrees"}]},
    ]  # fmt: skip
    assert ask(client, messages=messages).content[0].text == "It is 21 degrees."


def test_the_tool_runner_goes_on_without_a_thread(gateway, client):
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"21 degrees in {city}"

    gateway.when(tool_result="21").reply("It is 21 degrees.")
    gateway.when().reply(tool_calls=[{"name": "weather", "arguments": {"city": "Oslo"}}])
    runner = client.beta.messages.tool_runner(
        model="m", max_tokens=99, tools=[weather], messages=HELLO
    )
    assert runner.until_done().content[0].text == "It is 21 degrees."
    assert [call.status for call in gateway.requests()] == [400, 200, 200]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "thinking",
    [{"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive", "display": "omitted"}],
)
def test_the_tool_runner_gives_thoughts_back_in_a_loop_with_parallel_calls(
    gateway, client, thinking, stream
):
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"21 degrees in {city}"

    oslo, rome = ({"name": "weather", "arguments": {"city": city}} for city in ("Oslo", "Rome"))
    gateway.when(turn=1).reply(tool_calls=[oslo, rome], reasoning=["ask both", {"redacted": "x"}])
    gateway.when(turn=2).reply(tool_calls=[oslo], reasoning="ask again")
    gateway.when(turn=3, tool_result="Oslo").reply("It is 21 degrees.")
    runner = client.beta.messages.tool_runner(
        model="m", max_tokens=2000, tools=[weather], messages=HELLO, thinking=thinking,
        stream=stream,
    )  # fmt: skip
    steps = [step.get_final_message() if stream else step for step in runner]
    kinds = [[block.type for block in step.content] for step in steps]
    assert kinds == [["thinking", "redacted_thinking", "tool_use", "tool_use"],
                     ["thinking", "tool_use"], ["thinking", "text"]]  # fmt: skip
    assert steps[-1].content[-1].text == "It is 21 degrees."
    assert gateway.unused_scripts() == []


def test_stop_words_and_bounds_have_reasons_of_their_own(client):
    stopped = ask(client, stop_sequences=["llo"])
    assert (stopped.content[0].text, stopped.stop_reason, stopped.stop_sequence) == (
        "echo: he", "stop_sequence", "llo")  # fmt: skip
    assert ask(client, max_tokens=1).stop_reason == "max_tokens"


def test_tokens_are_counted(client):
    assert client.messages.count_tokens(model="m", messages=HELLO).input_tokens == 1
    beta = client.beta.messages.count_tokens(model="m", messages=HELLO, system="be kind")
    assert beta.input_tokens == 3


def test_models_are_listed_in_its_form(client):
    assert all(one.id.startswith("claude-") for one in client.models.list())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": []}, "at least one message"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "system", "content": "x"}]}, "Unexpected role"),
        ({"extra_body": {"temperature": 2}}, "temperature"),
        ({"tools": [{"name": "x"}]}, "input_schema"),
        ({"messages": [{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_x", "content": "x"}]}]}, "tool_use_id"),
    ],
)  # fmt: skip
def test_what_the_provider_refuses_is_refused_with_its_error(client, fields, message):
    with pytest.raises(anthropic.BadRequestError, match=message) as caught:
        ask(client, **fields)
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["type"] == "invalid_request_error"


def test_a_fault_reaches_the_application_and_an_attempt_is_absorbed(gateway, client):
    with pytest.raises(anthropic.InternalServerError):
        ask(client, model="m-fail-once-x")
    assert ask(client, model="m-fail-once-x").content
    gateway.assert_fault_reached_app()
    assert ask(client, model="m-fail-once-attempt-x").content
    assert gateway.faults()[-1].fault.reached_app == "absorbed"


def test_an_overload_has_its_own_status_and_three_tries(gateway, client):
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(client, model="m-fail-1-http529-call-x")
    assert caught.value.body["error"]["type"] == "overloaded_error"
    assert len(gateway.requests()) == 3


def test_an_error_in_mid_stream_is_raised(gateway, client):
    gateway.when().reply("one two three", error_after=3)
    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(model="m", max_tokens=9, messages=HELLO) as stream,
    ):
        list(stream.text_stream)


def test_a_cut_stream_is_noticed(gateway, client):
    gateway.when().reply("one two three", cut_after=4)
    with (
        pytest.raises(Exception, match=r"(?i)incomplete|peer closed|connection"),
        client.messages.stream(model="m", max_tokens=9, messages=HELLO) as stream,
    ):
        list(stream.text_stream)


def test_a_status_400_surfaces(gateway, client):
    with pytest.raises(anthropic.BadRequestError):
        ask(client, model="m-http400-x")
    assert len(gateway.requests()) == 1


def test_calls_that_always_fail_are_tried_three_times(gateway, client):
    with pytest.raises(anthropic.InternalServerError):
        ask(client, model="m-always-fail-attempt-x")
    (verdict,) = gateway.verdicts()
    assert (verdict.client_amplification, verdict.outer_amplification) == (3.0, 1.0)


def streamed(client, **fields):
    with client.messages.stream(model="m", max_tokens=9, messages=HELLO, **fields) as stream:
        text = "".join(stream.text_stream)
        return text, stream.get_final_message().stop_reason


def test_an_event_that_is_no_json_is_a_raw_error(gateway, client):
    gateway.when().reply("one two three", malformed_after=4)
    with pytest.raises(json.JSONDecodeError):
        streamed(client)


def test_a_clean_end_without_a_reason_passes_in_silence(gateway, client):
    gateway.when().reply("one two three", ends=False)
    assert streamed(client) == ("one two three", None)
