"""Chat completions that are kept, models that are deleted, and functions in their legacy form."""

import json

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof_gateway.instructions import exactly, to_summarize

FUNCTION = {
    "name": "book",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Oslo"]}},
        "required": ["city"],
    },
}


def ask(client, text="hello", **fields):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(**{"model": "m", "messages": messages, **fields})


def refused(client, **fields):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **fields)
    return caught.value


# Stored completions


def test_a_stored_completion_is_read_changed_and_deleted(client):
    made = ask(client, store=True, metadata={"kind": "a"}, temperature=0.5, user="eve")
    chats = client.chat.completions
    found = chats.retrieve(made.id)
    assert found.choices == made.choices
    assert (found.metadata, found.temperature, found.input_user) == ({"kind": "a"}, 0.5, "eve")
    assert chats.update(made.id, metadata={"kind": "b"}).metadata == {"kind": "b"}
    assert chats.retrieve(made.id).metadata == {"kind": "b"}
    assert chats.delete(made.id).model_dump() == {
        "id": made.id, "deleted": True, "object": "chat.completion.deleted"}  # fmt: skip
    with pytest.raises(openai.NotFoundError):
        chats.retrieve(made.id)


@pytest.mark.parametrize("store", [None, False])
def test_a_completion_is_only_stored_if_that_is_asked_for(client, store):
    made = ask(client, store=store)
    assert list(client.chat.completions.list()) == []
    with pytest.raises(openai.NotFoundError, match="No such ChatCompletion object"):
        client.chat.completions.retrieve(made.id)


def test_stored_completions_are_listed_by_model_and_metadata_page_by_page(client):
    ids = [
        ask(client, store=True, model=f"m-{n % 2}", metadata={"n": str(n), "kind": "x"}).id
        for n in range(5)
    ]

    def listed(**query):
        return [made.id for made in client.chat.completions.list(**query)]

    assert listed() == ids
    assert listed(limit=2) == ids
    assert listed(order="desc") == ids[::-1]
    assert listed(model="m-1") == [ids[1], ids[3]]
    assert listed(metadata={"kind": "x", "n": "3"}) == [ids[3]]
    assert listed(metadata={"kind": "y"}) == []
    page = client.chat.completions.list(limit=2)
    assert (len(page.data), page.has_more) == (2, True)


def test_the_messages_of_a_stored_completion_are_told_with_their_parts(client):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]
    made = ask(client, store=True, messages=messages)
    first, second = client.chat.completions.messages.list(made.id)
    assert (first.id, first.role, first.content) == (f"{made.id}-0", "system", "s")
    assert (second.content, [part.text for part in second.content_parts]) == ("ab", ["a", "b"])
    assert first.content_parts is None


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_lacks_its_end_lacks_it_when_it_is_asked_for_again(client, stream):
    sent = ask(client, model="m-eof-x", store=True, stream=stream)
    if stream:
        list(sent)
    (kept,) = client.chat.completions.list()
    assert kept.choices[0].finish_reason is None


def test_a_response_that_lacks_its_end_is_incomplete_when_it_is_asked_for_again(client):
    sent = client.responses.create(model="m-eof-x", input="hello")
    assert (sent.status, client.responses.retrieve(sent.id).status) == ("incomplete", "incomplete")


@pytest.mark.parametrize(
    ("metadata", "param", "code"),
    [
        ({"a": 1}, "metadata.a", "invalid_type"),
        ({"a" * 65: "x"}, "metadata", "string_above_max_length"),
        ({"a": "x" * 513}, "metadata.a", "string_above_max_length"),
        ({str(n): "x" for n in range(17)}, "metadata", "object_above_max_properties"),
    ],
)
def test_metadata_beyond_the_providers_limits_is_refused(client, metadata, param, code):
    error = refused(client, store=True, metadata=metadata)
    assert (error.param, error.code) == (param, code)


# Models


def test_a_fine_tuned_model_is_deleted_and_then_not_there(client):
    name = "ft:gpt-4o-mini:acme:mine:abc"
    assert client.models.retrieve(name).id == name
    assert client.models.delete(name).model_dump() == {
        "id": name, "deleted": True, "object": "model"}  # fmt: skip
    for use in (
        lambda: client.models.retrieve(name),
        lambda: client.models.delete(name),
        lambda: ask(client, model=name),
        lambda: client.embeddings.create(model=name, input="x"),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            use()
        assert caught.value.code == "model_not_found"
    assert ask(client, model="ft:gpt-4o-mini:acme:mine:other").choices


def test_a_model_of_the_provider_is_not_deleted(client):
    with pytest.raises(openai.PermissionDeniedError):
        client.models.delete("gpt-4o")
    assert ask(client, model="gpt-4o").choices


# Functions


def test_a_function_is_called_in_the_form_in_which_it_was_offered(client):
    fields = {"functions": [FUNCTION], "function_call": {"name": "book"}}
    choice = ask(client, **fields).choices[0]
    called = choice.message.function_call
    assert (called.name, json.loads(called.arguments)) == ("book", {"city": "Oslo"})
    assert (choice.finish_reason, choice.message.tool_calls) == ("function_call", None)
    chunks = [chunk.choices[0] for chunk in ask(client, **fields, stream=True)]
    deltas = [chunk.delta.function_call for chunk in chunks if chunk.delta.function_call]
    assert "".join(delta.arguments for delta in deltas) == called.arguments
    assert (deltas[0].name, chunks[-1].finish_reason) == ("book", "function_call")


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_function_is_only_called_if_it_must_be(client, choice):
    assert ask(client, functions=[FUNCTION], function_call=choice).choices[0].message.content


def test_a_script_calls_a_function_and_answers_its_result(gateway, client):
    gateway.when(tool_result="booked").reply("done")
    gateway.when(tool="book").reply(tool_calls=[{"name": "book", "arguments": {"city": "Oslo"}}])
    first = ask(client, functions=[FUNCTION]).choices[0].message
    assert json.loads(first.function_call.arguments) == {"city": "Oslo"}
    history = [
        {"role": "user", "content": "hello"},
        first.model_dump(exclude_none=True),
        {"role": "function", "name": "book", "content": "booked"},
    ]
    second = ask(client, functions=[FUNCTION], messages=history).choices[0]
    assert second.message.content == "done"


TOOL_CALL = {"id": "c", "type": "function", "function": {"name": "book", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("fields", "param", "told"),
    [
        ({"function_call": "auto"}, "function_call", "only allowed when 'functions' are specified"),
        ({"functions": []}, "functions", "empty array"),
        ({"functions": [{}]}, "functions[0].name", "Missing required"),
        ({"functions": [FUNCTION], "function_call": "must"}, "function_call", "'none' and 'auto'"),
        ({"functions": [FUNCTION], "function_call": {"name": "x"}}, "function_call", "'x'"),
        (
            {"functions": [FUNCTION], "tools": [{"type": "function", "function": FUNCTION}]},
            "tools",
            "'tools' cannot be used when 'functions' are present",
        ),
        (
            {"messages": [{"role": "function", "content": "x"}]},
            "messages.[0].name",
            "must have a 'name'",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "function_call": {}}]},
            "messages.[0].function_call",
            "only messages with role 'assistant' can have a function call",
        ),
        (
            {"messages": [{"role": "assistant", "function_call": {"name": "x"}}]},
            "messages[0].function_call.arguments",
            "Missing required",
        ),
        (
            {"functions": [FUNCTION], "messages": [{"role": "assistant", "tool_calls": [TOOL_CALL]},
             {"role": "tool", "tool_call_id": "c", "content": "x"}]},
            "messages.[0].tool_calls",
            "Please use 'tools' instead of 'functions'",
        ),
    ],
)  # fmt: skip
def test_broken_uses_of_functions_are_refused(client, fields, param, told):
    error = refused(client, **fields)
    assert error.param == param
    assert told in error.body["message"]


# Content parts

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


@pytest.mark.parametrize(
    ("role", "part", "param", "told"),
    [
        ("user", {"type": "image"}, "messages[0].content[0].type", "'text', 'image_url', 'input_"),
        ("user", {"type": "input_text", "text": "x"}, "messages[0].content[0].type", "'input_tex"),
        ("user", {"text": "x"}, "messages[0].content[0].type", "Missing required"),
        ("user", {"type": "text"}, "messages[0].content[0].text", "Missing required"),
        ("user", {"type": "text", "text": 1}, "messages[0].content[0].text", "an integer"),
        ("user", {"type": "image_url", "image_url": "http://x"}, "messages[0].content[0].image_url",
         "expected an object, but got a string"),
        ("user", {"type": "image_url", "image_url": {}}, "messages[0].content[0].image_url.url",
         "Missing required"),
        ("system", IMAGE, "messages[0]", "only allowed for messages with role 'user"),
    ],
)  # fmt: skip
def test_content_parts_that_the_provider_does_not_take_are_refused(client, role, part, param, told):
    error = refused(client, messages=[{"role": role, "content": [part]}])
    assert error.param == param
    assert told in error.body["message"]


def test_each_known_content_part_is_taken(client):
    parts = [
        {"type": "text", "text": "a"},
        IMAGE,
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    assert ask(client, messages=[{"role": "user", "content": parts}]).choices
    refusal = [{"type": "refusal", "refusal": "no"}]
    turns = [{"role": "assistant", "content": refusal}, {"role": "user", "content": "x"}]
    assert ask(client, messages=turns).choices


def test_no_stop_words_are_refused_beside_an_image_only(client):
    assert ask(client, stop=[]).choices
    error = refused(client, stop=[], messages=[{"role": "user", "content": [IMAGE]}])
    assert (error.param, error.code) == ("stop", "empty_array")


# Instructions inside of XML


@pytest.mark.parametrize(
    ("asked", "reply"),
    [
        ("<task>Reply with exactly: yes</task>", "yes"),
        ('<a><task id="1">Reply with exactly: yes</task></a>', "yes"),
        ("<task>Reply with exactly: <b>yes</b></task>", "<b>yes</b>"),
        ("Reply with exactly: <b>yes</b>", "<b>yes</b>"),
        ("Reply with exactly: a </b>", "a </b>"),
        ("<b></b>Reply with exactly: a </b>", "a </b>"),
        ("<task>\nReply with exactly: yes\n</task>", "yes"),
        ("1 < 2. Reply with exactly: 2 > 1", "2 > 1"),
        ("<q>Summarize: the long text</q>", "summary: the long text"),
        ("<q>\n please summarise this: <doc>x y</doc> </q>", "summary: <doc>x y</doc>"),
        ("<q>Summarize:</q>", "echo: <q>Summarize:</q>"),
        ("<q>hello</q>", "echo: <q>hello</q>"),
    ],
)
def test_an_instruction_inside_xml_is_followed_without_its_markup(client, asked, reply):
    assert ask(client, asked).choices[0].message.content == reply


TEXTS = st.text(st.sampled_from("ab </>\n"), max_size=12)


@given(TEXTS, TEXTS)
def test_what_the_reply_is_to_be_is_a_beginning_of_what_follows(before, after):
    reply = exactly(f"{before}Reply with exactly: {after}")
    assert after.partition("\n")[0].strip().startswith(reply)
    if "</" not in after:
        assert reply == after.partition("\n")[0].strip()
    to_summarize(before + after)
