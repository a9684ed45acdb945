"""Requests that were answered and must not be; what the provider's real answer is known from.

They rest on the API references of OpenAI and Anthropic. Anthropic's texts about roles, empty
content and thinking, its 401, and the rule of `logprobs` were not compared with the providers'.
"""

import json

import httpx
import openai
import pytest

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def chat(client, **fields):
    return client.chat.completions.create(**{"model": "m", "messages": HELLO, **fields})


def test_a_scripted_text_ends_at_stop_words_and_at_the_bound(gateway, client):
    gateway.when().reply("one two three four", times=None)
    bounded = chat(client, max_tokens=2).choices[0]
    assert (bounded.message.content, bounded.finish_reason) == ("one two", "length")
    stopped = chat(client, stop=" three").choices[0]
    assert (stopped.message.content, stopped.finish_reason) == ("one two", "stop")
    chunks = list(chat(client, max_tokens=2, stream=True))
    assert chunks[-1].choices[0].finish_reason == "length"
    assert chat(client, max_tokens=4).choices[0].message.content == "one two three four"
    cut = client.responses.create(model="m", input="x", max_output_tokens=16)
    assert cut.status == "completed"


def test_a_scripted_reply_that_names_its_reason_is_not_cut(gateway, client):
    gateway.when().reply("one two three", finish_reason="content_filter")
    reply = chat(client, max_tokens=1).choices[0]
    assert (reply.message.content, reply.finish_reason) == ("one two three", "content_filter")


def test_choices_have_tool_calls_with_ids_of_their_own(gateway, client):
    gateway.when("scripted").reply(tool_calls=[{"name": "f"}, {"name": "f"}])
    for model in ("m", "scripted"):
        choices = chat(client, model=model, tools=[TOOL], tool_choice="required", n=3).choices
        ids = [call.id for choice in choices for call in choice.message.tool_calls]
        assert len(ids) == len(set(ids)) >= 3


def test_log_probabilities_tell_the_same_text_plain_and_streamed(client):
    fields = {"logprobs": True, "top_logprobs": 2}
    plain = chat(client, **fields).choices[0]
    entries = plain.logprobs.content
    assert "".join(entry.token for entry in entries) == plain.message.content
    assert bytes(entries[0].bytes).decode() == entries[0].token
    first, second = entries[0].top_logprobs
    assert (first.token, first.logprob) == (entries[0].token, entries[0].logprob)
    assert second.logprob < first.logprob < 0
    streamed = [
        entry
        for chunk in chat(client, stream=True, **fields)
        if chunk.choices[0].logprobs
        for entry in chunk.choices[0].logprobs.content
    ]
    assert [one.model_dump() for one in streamed] == [one.model_dump() for one in entries]
    assert chat(client).choices[0].logprobs is None


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"n": 0}, "integer_below_min_value", ("Invalid 'n': integer below minimum value. Expected "
         "a value >= 1, but got 0 instead.")),
        ({"n": 129}, "integer_above_max_value", ("Invalid 'n': integer above maximum value. "
         "Expected a value <= 128, but got 129 instead.")),
        ({"temperature": 9}, "decimal_above_max_value", ("Invalid 'temperature': decimal above "
         "maximum value. Expected a value <= 2, but got 9 instead.")),
        ({"presence_penalty": -3}, "decimal_below_min_value", ("Invalid 'presence_penalty': "
         "decimal below minimum value. Expected a value >= -2, but got -3 instead.")),
        ({"tools": []}, "empty_array", ("Invalid 'tools': empty array. Expected an array with "
         "minimum length 1, but got an empty array instead.")),
        ({"messages": []}, "empty_array", ("Invalid 'messages': empty array. Expected an array "
         "with minimum length 1, but got an empty array instead.")),
        ({"top_logprobs": 2}, None, ("The 'top_logprobs' parameter is only allowed when 'logprobs' "
         "is enabled.")),
    ],
)  # fmt: skip
def test_an_error_says_on_which_side_a_value_is_wrong(client, fields, code, message):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, **fields)
    assert (caught.value.code, caught.value.body["message"]) == (code, message)


def test_a_response_with_too_few_tokens_has_the_same_code(client):
    with pytest.raises(openai.BadRequestError, match="Expected a value >= 16, but got 3") as caught:
        client.responses.create(model="m", input="x", max_output_tokens=3)
    assert caught.value.code == "integer_below_min_value"
    assert client.responses.create(model="m", input="x", tools=[]).output_text  # it takes none


def message(gateway, headers=None, **fields):
    body = {"model": "m", "max_tokens": 2000, "messages": HELLO, **fields}
    answer = httpx.post(
        f"{gateway.openai_base_url}/messages",
        json=body,
        headers={"x-api-key": "sk-any"} if headers is None else headers,
    )
    return answer.status_code, answer.json()


def said(role, content):
    return [*HELLO, {"role": role, "content": content}]


BUDGET = {"type": "enabled", "budget_tokens": 1500}
EMPTY = "all messages must have non-empty content except for the optional final assistant message"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"messages": [{"role": "user", "content": ""}]}, f"messages.0: {EMPTY}"),
        ({"messages": [*said("assistant", []), *HELLO]}, f"messages.1: {EMPTY}"),
        ({"messages": said("user", [{"type": "text", "text": ""}])},
         "messages: text content blocks must be non-empty"),
        ({"messages": said("user", [{"type": "text"}])},
         "messages.1.content.0.text.text: Field required"),
        ({"messages": said("user", [{"type": "image_url", "image_url": {"url": "x"}}])},
         "messages.1.content.0: Input tag 'image_url' found using 'type' does not match any of"),
        ({"messages": said("user", [{"type": "input_text", "text": "x"}])},
         "messages.1.content.0: Input tag 'input_text' found using 'type'"),
        ({"thinking": {**BUDGET, "budget_tokens": 2000}},
         "`max_tokens` must be greater than `thinking.budget_tokens`."),
        ({"thinking": {**BUDGET, "budget_tokens": 1023}},
         "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"),
        ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
        ({"thinking": {"type": "deep"}}, "thinking: Input tag 'deep' found using 'type'"),
        ({"thinking": BUDGET, "temperature": 0},
         "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."),
        ({"thinking": BUDGET, "tools": [{"name": "f", "input_schema": {"type": "object"}}],
          "tool_choice": {"type": "any"}},
         "Thinking may not be enabled when tool_choice forces tool use."),
    ],
)  # fmt: skip
def test_a_message_that_anthropic_refuses_is_refused(gateway, fields, text):
    status, answer = message(gateway, **fields)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert answer["error"]["message"].startswith(text)


def test_what_anthropic_takes_is_answered(gateway):
    for fields in (
        {"messages": said("assistant", "")},
        {"thinking": BUDGET, "temperature": 1},
        {"thinking": {"type": "disabled"}, "temperature": 0},
        {"thread": None},
    ):
        assert message(gateway, **fields)[0] == 200


def test_without_a_key_anthropic_has_an_error_of_its_own(gateway):
    status, answer = message(gateway, headers={"anthropic-version": "2023-06-01"})
    error = {"type": "authentication_error", "message": "x-api-key header is required"}
    assert (status, answer["type"], answer["error"]) == (401, "error", error)
    assert message(gateway, headers={"content-type": "application/json"})[1]["error"] == error


@pytest.mark.parametrize(
    "thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}]
)
def test_a_thread_is_refused_with_the_code_that_the_tool_runner_knows(gateway, thread):
    # the code and its place are those of the SDK's own class ThreadUnsupportedRequestError
    status, answer = message(gateway, thread=thread)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert answer["error"]["details"] == {"error_code": "thread_unsupported_request"}
    assert json.dumps(answer).count("without `thread`") == 1
