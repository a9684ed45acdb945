"""Answers, parsed by the official client."""

import json
import math

import openai
import pydantic
import pytest

HELLO = [{"role": "user", "content": "hello world"}]


def ask(client, **fields):
    return client.chat.completions.create(**{"model": "m", "messages": HELLO, **fields})


def test_the_default_reply_is_an_echo_of_the_last_user_text(client):
    messages = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "x"}, *HELLO]
    choice = ask(client, messages=messages).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("echo: hello world", "stop")


def test_a_text_that_says_what_to_reply_is_obeyed(client):
    text = "You are tested.\nReply with exactly: forty two \nThanks."
    reply = ask(client, messages=[{"role": "user", "content": text}])
    assert reply.choices[0].message.content == "forty two"


def test_content_may_be_a_list_of_parts(client):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    reply = ask(client, messages=[{"role": "user", "content": parts}])
    assert reply.choices[0].message.content == "echo: a\nb"


def test_usage_adds_up(client):
    usage = ask(client).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (2, 3, 5)


def test_a_stream_brings_the_same_text_in_pieces_and_the_usage_if_asked_for(client):
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "echo: hello world"
    assert len(chunks) > 3
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens == 5
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_stream_without_the_option_has_no_usage(client):
    assert all(chunk.usage is None for chunk in ask(client, stream=True))


def test_several_choices_stop_words_and_a_bound_of_tokens(client):
    assert len(ask(client, n=3).choices) == 3
    assert ask(client, stop=[" world"]).choices[0].message.content == "echo: hello"
    cut = ask(client, max_tokens=2).choices[0]
    assert (cut.message.content, cut.finish_reason) == ("echo: hello", "length")


TOOL = {
    "type": "function",
    "function": {
        "name": "book",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Oslo"]}, "n": {"type": "integer",
                           "minimum": 2}, "x": {"type": "string"}},
            "required": ["city", "n"],
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "book"}}])
def test_a_forced_tool_is_called_with_arguments_that_fit_its_schema(client, choice):
    reply = ask(client, tools=[TOOL], tool_choice=choice).choices[0]
    call = reply.message.tool_calls[0]
    assert (reply.finish_reason, call.function.name) == ("tool_calls", "book")
    assert json.loads(call.function.arguments) == {"city": "Oslo", "n": 2}


def test_a_tool_call_is_streamed_in_pieces(client):
    chunks = list(ask(client, tools=[TOOL], tool_choice="required", stream=True))
    calls = [c.choices[0].delta.tool_calls[0] for c in chunks if c.choices[0].delta.tool_calls]
    assert calls[0].function.name == "book"
    assert json.loads("".join(call.function.arguments for call in calls)) == {
        "city": "Oslo",
        "n": 2,
    }


def test_tools_that_are_only_offered_are_not_called(client):
    assert ask(client, tools=[TOOL]).choices[0].message.content == "echo: hello world"


def test_structured_output_fits_the_schema(client):
    class Inner(pydantic.BaseModel):
        tags: list[str]

    class Wanted(pydantic.BaseModel):
        name: str
        count: int
        inner: Inner
        ok: bool

    reply = client.chat.completions.parse(model="m", messages=HELLO, response_format=Wanted)
    assert isinstance(reply.choices[0].message.parsed, Wanted)


def test_a_json_object_is_one(client):
    messages = [{"role": "user", "content": "in JSON"}]
    reply = ask(client, messages=messages, response_format={"type": "json_object"})
    assert json.loads(reply.choices[0].message.content) == {"answer": "echo: in JSON"}


def test_unknown_fields_are_accepted(client):
    assert ask(client, seed=1, logprobs=True, extra_body={"zzz": 1}).choices


def test_answers_are_the_same_byte_for_byte_from_run_to_run(server, gateway):
    import httpx

    def run():
        gateway.reset()
        headers = {"authorization": "Bearer x"}
        bodies = []
        for stream in (False, True):
            body = {"model": "m", "messages": HELLO, "stream": stream}
            url = f"{gateway.openai_base_url}/chat/completions"
            bodies.append(httpx.post(url, json=body, headers=headers).content)
        return bodies

    assert run() == run()


def embed(client, *texts, **fields):
    return [item.embedding for item in client.embeddings.create(model="e", input=list(texts),
                                                              **fields).data]  # fmt: skip


def test_embeddings_have_length_one_and_the_wanted_dimensions(client):
    (vector,) = embed(client, "a text", dimensions=64)
    assert len(vector) == 64
    assert math.isclose(sum(value * value for value in vector), 1.0, rel_tol=1e-5)


def test_both_encodings_are_the_same_vector(client):
    (packed,), (plain,) = embed(client, "a text"), embed(client, "a text", encoding_format="float")
    assert packed == pytest.approx(plain, abs=1e-6)


def test_related_texts_are_closer_than_unrelated_ones(client):
    query, near, far = embed(
        client, "restarting the database server", "how to restart a database", "baking sweet bread"
    )

    def closeness(vector, other):
        return sum(a * b for a, b in zip(vector, other, strict=True))

    assert closeness(query, near) > closeness(query, far) + 0.1


def test_token_numbers_can_be_embedded(client):
    assert len(client.embeddings.create(model="e", input=[[1, 2], [3]]).data) == 2


def test_models_are_listed_and_found(client):
    assert "gpt-4o-mini" in [model.id for model in client.models.list()]
    assert client.models.retrieve("any/name").id == "any/name"


def test_anthropics_list_of_models_has_only_its_own(gateway):
    import httpx

    url, headers = f"{gateway.openai_base_url}/models", {"x-api-key": "sk-any"}
    headers["anthropic-version"] = "2023-06-01"
    listed = httpx.get(url, headers=headers).json()
    assert all(model["id"].startswith("claude-") for model in listed["data"])
    assert listed["first_id"] == listed["data"][0]["id"]
    assert httpx.get(f"{url}/gpt-4o", headers=headers).json()["id"] == "gpt-4o"


def test_a_key_is_needed(gateway):
    import httpx

    answer = httpx.post(f"{gateway.openai_base_url}/chat/completions", json={"model": "m"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "invalid_request_error")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"temperature": 9}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"n": 0}, "n"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"tools": [3]}, "tools[0]"),
        ({"stop": 3}, "stop"),
        ({"stop": list("abcde")}, "stop"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, None),
        ({"tool_choice": "required"}, "tool_choice"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice",
        ),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (
            {"messages": [{"role": "tool", "tool_call_id": "x", "content": "x"}]},
            "messages.[0].role",
        ),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"response_format": {"type": "json_object"}}, "messages"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            "response_format.json_schema.name",
        ),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"model": ""}, "model"),
    ],
)
def test_what_the_provider_refuses_is_refused_with_its_error(client, fields, param):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "string"}, "schema must have type 'object'"),
        ({"type": "object", "properties": {}}, "'additionalProperties' is required"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": [],
          "additionalProperties": False}, "Missing 'a'"),
        ({"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"],
          "additionalProperties": False}, r"context=\('properties', 'a'\)"),
    ],
)  # fmt: skip
def test_a_strict_schema_must_be_as_the_provider_wants_it(client, schema, problem):
    given = {"name": "x", "schema": schema, "strict": True}
    with pytest.raises(openai.BadRequestError, match=problem) as caught:
        ask(client, response_format={"type": "json_schema", "json_schema": given})
    assert caught.value.code == "invalid_json_schema"
