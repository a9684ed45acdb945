"""What a request for a response refers to must be there, and its types must be known.

Status and code are what these tests rest on. The texts about what is missing and about schemas were
not compared with the provider's: no report of a real one was found.
"""

import openai
import pytest
from packages.gateway.tests.test_answers import TOOL

HELLO = {"role": "user", "content": "hello"}


def respond(client, *items, **fields):
    return client.responses.create(model="m", input=[HELLO, *items], **fields)


def part(kind, **fields):
    return {"role": "user", "content": [{"type": kind, **fields}]}


def test_what_is_there_can_be_referred_to(client):
    made = client.files.create(file=("notes.txt", b"hello"), purpose="user_data")
    store = client.vector_stores.create(name="handbook")
    search = {"type": "file_search", "vector_store_ids": [store.id]}
    answer = respond(client, part("input_file", file_id=made.id), tools=[search])
    assert answer.status == "completed"
    for reference in ({"type": "item_reference", "id": answer.output[0].id},
                      {"id": answer.output[0].id}):  # fmt: skip
        again = respond(client, reference)
        listed = client.responses.input_items.list(again.id, order="asc").data
        assert listed[1].content[0].text == answer.output_text


def test_a_referenced_call_is_answered_by_its_output(client):
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    call = respond(client, tools=[tool], tool_choice="required").output[0]
    reference = {"type": "item_reference", "id": call.id}
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "x"}
    first = respond(client, reference, output)
    assert respond(client, previous_response_id=first.id).status == "completed"
    with pytest.raises(openai.BadRequestError, match="No tool output found"):
        respond(client, reference)


@pytest.mark.parametrize(
    ("items", "fields", "message", "param"),
    [
        ([{"type": "item_reference", "id": "msg_x"}], {}, "Item with id 'msg_x' not found.",
         "input"),
        ([], {"tools": [{"type": "file_search", "vector_store_ids": ["vs_x"]}]},
         "Vector store with id [vs_x] not found.", "tools[0].vector_store_ids"),
        # nobody has reported the param
        ([], {"conversation": "conv_x"}, "Conversation with id 'conv_x' not found.",
         "conversation"),
        ([], {"conversation": {"id": "conv_x"}}, "Conversation with id 'conv_x' not found.",
         "conversation"),
        # nobody has reported this one; the text is that of GET /v1/files/{id}
        ([part("input_file", file_id="file-x")], {}, "No such File object: file-x",
         "input[1].content[0].file_id"),
        ([part("input_image", file_id="file-x")], {}, "No such File object: file-x",
         "input[1].content[0].file_id"),
    ],
)  # fmt: skip
def test_what_is_not_there_can_not(client, items, fields, message, param):
    with pytest.raises(openai.NotFoundError) as caught:
        respond(client, *items, **fields)
    assert (caught.value.body["message"], caught.value.param) == (message, param)


@pytest.mark.parametrize(
    ("items", "fields", "param"),
    [
        ([{"type": "dance"}], {}, "input[1].type"),
        ([part("text", text="x")], {}, "input[1].content[0]"),
        ([part("image_url", image_url="x")], {}, "input[1].content[0]"),
        ([], {"tools": [{"type": "dance"}]}, "tools[0].type"),
    ],
)
def test_types_that_the_provider_does_not_know_are_refused(client, items, fields, param):
    with pytest.raises(openai.BadRequestError, match="Supported values are: ") as caught:
        respond(client, *items, **fields)
    assert (caught.value.code, caught.value.param) == ("invalid_value", param)


def test_a_chat_knows_functions_and_custom_tools_only(client):
    fields = {"model": "m", "messages": [HELLO]}
    custom = {"type": "custom", "custom": {"name": "f"}}
    assert client.chat.completions.create(**fields, tools=[TOOL, custom]).choices
    with pytest.raises(openai.BadRequestError, match="function, custom") as caught:
        client.chat.completions.create(**fields, tools=[{"type": "web_search"}])
    assert caught.value.param == "tools[0].type"


def test_a_search_needs_its_stores(client):
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, tools=[{"type": "file_search"}])
    assert caught.value.param == "tools[0].vector_store_ids"


def test_a_json_object_needs_the_word(client):
    text = {"format": {"type": "json_object"}}
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, text=text)
    assert (caught.value.param, caught.value.body["message"]) == (
        "input",
        (
            "Response input messages must contain the word 'json' in some form to use "
            "'text.format' of type 'json_object'."
        ),
    )
    assert respond(client, {"role": "user", "content": "as JSON"}, text=text).output_text
    # whether the provider looks into the instructions is reported in both ways: they count
    assert respond(client, text=text, instructions="Answer in JSON.").output_text


def of(schema, **fields):
    """A strict schema with one property."""
    return {"type": "object", "properties": {"a": schema}, "required": ["a"],
            "additionalProperties": False, **fields}  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (of({"oneOf": [{"type": "string"}]}), "In context=('properties', 'a'), 'oneOf' is not "),
        (of({"allOf": [{"type": "string"}]}), "In context=('properties', 'a'), 'allOf' is not "),
        (of({"type": "string"}, **{"not": {}}), "In context=(), 'not' is not permitted."),
        (of({"type": "array"}), "In context=('properties', 'a'), array schema missing items."),
        (of({}), "In context=('properties', 'a'), schema must have a 'type' key."),
        (
            of({"$ref": "#/$defs/b"}, **{"$defs": {"b": {"type": "array"}}}),
            "In context=('$defs', 'b'), array schema missing items.",
        ),
    ],
)
def test_a_strict_schema_has_no_keyword_that_the_provider_refuses(client, schema, problem):
    form = {"type": "json_schema", "name": "x", "schema": schema, "strict": True}
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, text={"format": form})
    assert problem in caught.value.body["message"]
    assert caught.value.code == "invalid_json_schema"
    tool = {"type": "function", "name": "f", "parameters": schema, "strict": True}
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, tools=[tool])
    assert problem in caught.value.body["message"]
    assert caught.value.code == "invalid_function_parameters"


def test_a_strict_schema_may_have_choices_references_and_constants(client):
    value = {"anyOf": [{"$ref": "#/$defs/b"}, {"enum": ["x"]}, {"type": "null"}]}
    items = {"type": "array", "items": value}
    schema = of(items, **{"$defs": {"b": {"type": "string"}}})
    form = {"type": "json_schema", "name": "x", "schema": schema, "strict": True}
    assert respond(client, text={"format": form}).output_text


def test_an_array_of_a_function_says_what_it_holds_without_strict_as_well(client):
    tool = {"type": "function", "name": "f", "parameters": of({"type": "array"})}
    with pytest.raises(openai.BadRequestError, match="array schema missing items") as caught:
        respond(client, tools=[tool])
    assert caught.value.code == "invalid_function_parameters"
    tool["parameters"] = of({"oneOf": [{"type": "string"}]})
    assert respond(client, tools=[tool]).output_text


def test_a_stored_prompt_is_not_there_unless_a_script_answers(gateway, client):
    prompt = {"id": "pmpt_1", "version": "2", "variables": {"city": "Oslo"}}
    for asked in (
        lambda: respond(client, prompt=prompt),
        lambda: client.responses.create(prompt=prompt),
        lambda: client.responses.input_tokens.count(input="x", extra_body={"prompt": prompt}),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            asked()
        error = caught.value
        assert error.body["message"] == "Prompt with id 'pmpt_1' not found."
        assert (error.type, error.param, error.code) == ("invalid_request_error", None, None)
    gateway.when(path="/v1/responses").reply("It rains in Oslo.")
    assert client.responses.create(prompt=prompt).output_text == "It rains in Oslo."


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        ("pmpt_1", "prompt"),
        ({}, "prompt.id"),
        ({"id": 5}, "prompt.id"),
        ({"id": "pmpt_1", "version": 2}, "prompt.version"),
        ({"id": "pmpt_1", "variables": ["x"]}, "prompt.variables"),
    ],
)
def test_a_stored_prompt_is_named_properly(client, prompt, param):
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, prompt=prompt)
    assert caught.value.param == param
