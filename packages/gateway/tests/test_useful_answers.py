"""Answers by schema are valid, and useful for the next step of a pipeline."""

import json
import uuid

import httpx
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packages.gateway.tests.rig import ask

from stackproof_gateway.known_ids import KnownIds
from stackproof_gateway.prompt_schemas import schema_in
from stackproof_gateway.schema_answers import value_for
from stackproof_gateway.settings import options, parser

TEXT = {"type": "string"}
FIRST, SECOND = (str(uuid.UUID(int=number)) for number in (7, 8))
REPORT = {
    "type": "object",
    "properties": {
        "title": TEXT,
        "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
    },
    "required": ["title", "steps"],
    "$defs": {
        "step": {
            "type": "object",
            "properties": {"task_id": TEXT, "title": TEXT, "kind": {"enum": ["a", "b"]}},
            "required": ["task_id", "title", "kind"],
        }
    },
}
PROMPT = f"Review these tasks: [{{'task_id': '{FIRST}'}}, {{'task_id': '{SECOND}'}}] as JSON."


def bounded(low, high):
    pair = st.tuples(st.integers(low, high), st.integers(low, high))
    return pair.map(lambda given: (min(given), max(given)))


def lengths(pair):
    return {"type": "string", "minLength": pair[0], "maxLength": pair[1]}


def numbers(kind):
    return bounded(-50, 50).map(lambda pair: {"type": kind, "minimum": pair[0], "maximum": pair[1]})


def lists(items):
    return st.builds(
        lambda items, pair, unique: {
            "type": "array", "items": items, "maxItems": pair[1],
            **({"uniqueItems": True} if unique else {"minItems": pair[0]}),
        },
        items, bounded(0, 4), st.booleans(),
    )  # fmt: skip


def objects(values):
    names = st.sampled_from(["id", "task_id", "uuid", "taskIds", "title", "notes", ""])
    return st.dictionaries(names, values, max_size=4).map(
        lambda properties: {
            "type": "object", "properties": properties, "required": list(properties),
            "additionalProperties": False,
        }
    )  # fmt: skip


LEAVES = st.one_of(
    st.just(TEXT), st.just({"type": "boolean"}), st.just({"type": ["string", "null"]}),
    bounded(0, 40).map(lengths), numbers("integer"), numbers("number"),
    st.lists(st.one_of(st.text(), st.integers()), min_size=1).map(lambda known: {"enum": known}),
    st.sampled_from(["uuid", "date", "email", "date-time", "ipv4"]).map(
        lambda form: {"type": "string", "format": form}
    ),
    st.just({"type": "string", "pattern": r"^[A-Z]{2}-\d{3}$"}),
)  # fmt: skip
SCHEMAS = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        lists(below), objects(below), st.lists(below, min_size=1, max_size=3).map(
            lambda parts: {"anyOf": parts}
        ),
    ),
    max_leaves=12,
)  # fmt: skip
PROMPTS = st.lists(
    st.sampled_from([FIRST, "id: 41", '"task_id": "t-1"', '"task_ids": ["a", 7]', "uuid=x9", "é"])
).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(schema=SCHEMAS, items=st.integers(0, 5), prompt=PROMPTS)
def test_a_value_is_valid_whatever_ids_the_prompt_holds(schema, items, prompt):
    value = value_for(schema, items=items, ids=KnownIds([prompt]))
    jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())


@given(text=st.text(alphabet='{}[]":,\\ idtask_properties0', max_size=200))
def test_every_text_can_be_searched_for_ids_and_schemas(text):
    list(KnownIds([text]).groups("task_id"))
    assert schema_in([text]) is None or "properties" in text or "items" in text


def test_each_array_has_an_item_and_as_many_as_asked_for():
    assert len(value_for(REPORT)["steps"]) == 1
    assert len(value_for(REPORT, items=3)["steps"]) == 3
    assert value_for(REPORT, items=0)["steps"] == []
    assert value_for({"type": "array", "items": TEXT, "maxItems": 0}) == []
    assert value_for({"type": "array", "items": False}) == []


def test_plain_texts_are_named_after_their_property_and_differ():
    value = value_for(REPORT, items=2)
    titles = [value["title"], *(step["title"] for step in value["steps"])]
    assert titles == ["title", "title 2", "title 3"]
    assert value_for({"type": "array", "items": lengths((9, 9))}, items=2) == [
        "text text", "text te 2"]  # fmt: skip


def test_items_that_must_differ_do():
    known = {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True}
    assert value_for(known, items=5) == ["a", "b"]
    assert value_for({**known, "items": {"type": "integer"}}, items=3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("prompt", "name", "schema", "value"),
    [
        (f"Task {FIRST} is next.", "id", TEXT, FIRST),
        (f"Task {FIRST} is next.", "uuid", {**TEXT, "format": "uuid"}, FIRST),
        (f"Task {FIRST}, then {SECOND}.", "uuids", {"type": "array", "items": TEXT},
         [FIRST, SECOND]),
        ('{"task_ids": ["t-1", "t-2"]}', "task_ids", {"type": "array", "items": TEXT},
         ["t-1", "t-2"]),
        ('{"id": "plan", "task_id": "t-1"}', "task_id", TEXT, "t-1"),
        ('{"taskId": "t-1"}', "parentTaskId", TEXT, "t-1"),
        ("id: 41", "id", {"type": "integer"}, 41),
        ("id: 41", "id", {"type": "integer", "minimum": 50}, 50),
        ("ids: task_id=t-1, task_id=t-2", "task_id", TEXT, "t-1"),
        ("id: 41", "title", TEXT, "title"),
        ("its id: is unknown", "id", TEXT, "id"),
        ('{"id": "string"}', "id", TEXT, "id"),
        ('{"id": "t-1"}', "id", {"enum": ["x"]}, "x"),
        ('{"id": "t-1"}', "id", {**TEXT, "pattern": "^[A-Z]$"}, "A"),
        ('{"id": "t-1"}', "id", {**TEXT, "examples": ["x"]}, "t-1"),
        ('{\\"id\\": \\"t-1\\"}', "id", {"anyOf": [{"type": "null"}, TEXT][::-1]}, "t-1"),
    ],
)  # fmt: skip
def test_an_id_of_the_prompt_is_reused(prompt, name, schema, value):
    whole = {"type": "object", "properties": {name: schema}}
    assert value_for(whole, items=2, ids=KnownIds([prompt])) == {name: value}


def named(schema):
    return {"type": "json_schema", "json_schema": {"name": "report", "schema": schema}}


def test_a_pipeline_gets_back_the_ids_that_it_asked_about(serve):
    with serve(array_items=2) as url:
        answers = [
            {"response_format": named(REPORT)},
            {"messages": [{"role": "system", "content": json.dumps(REPORT)},
                          {"role": "user", "content": PROMPT}],
             "response_format": {"type": "json_object"}},
            {"messages": [{"role": "user", "content": f"{PROMPT}\n```{json.dumps(REPORT)}```"}]},
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": REPORT}}],
             "tool_choice": "required"},
        ]  # fmt: skip
        for fields in answers:
            body = {"model": "m", "messages": [{"role": "user", "content": PROMPT}], **fields}
            answer = httpx.post(f"{url}/v1/chat/completions", json=body,
                                headers={"authorization": "Bearer x"}).json()  # fmt: skip
            message = answer["choices"][0]["message"]
            calls = message.get("tool_calls")
            value = json.loads(calls[0]["function"]["arguments"] if calls else message["content"])
            assert [step["task_id"] for step in value["steps"]] == [FIRST, SECOND]


def test_ids_of_an_earlier_response_are_known(client):
    first = client.responses.create(model="m", input=f"The task_id is {FIRST}.")
    later = client.responses.create(
        model="m", input="Go on, as JSON.", previous_response_id=first.id,
        text={"format": {"type": "json_schema", "name": "report", "schema": REPORT}},
    )  # fmt: skip
    assert json.loads(later.output_text)["steps"][0]["task_id"] == FIRST


def test_a_reply_that_the_prompt_dictates_goes_before_a_schema_in_it(client):
    assert ask(client, f"{json.dumps(REPORT)} Reply with exactly: ok").choices[
        0].message.content == "ok"  # fmt: skip


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        (f'For example {{"properties": {{"a": {{}}}}}}. Schema: {json.dumps(REPORT)}', REPORT),
        (json.dumps({"name": "report", "schema": REPORT}), REPORT),
        ('{"type": "array", "items": {"type": "string"}}', {"type": "array", "items": TEXT}),
        ('A house: {"properties": {"rooms": 3}}', None),
        ('{"properties": ' * 500, None),
        ('{"type": "order", "items": {"a": 1}}', None),
    ],
)
def test_a_schema_in_a_text_is_the_last_one(text, schema):
    assert schema_in([text]) == schema


def test_the_number_of_items_is_an_option():
    given = parser({"GATEWAY_ARRAY_ITEMS": "3"}).parse_args([])
    assert options(given, {}).array_items == 3
    with pytest.raises(SystemExit):
        parser({}).parse_args(["--array-items", "101"])
