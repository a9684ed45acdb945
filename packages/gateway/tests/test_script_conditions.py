"""Scripts name a step by what was said, offered and asked for; the first that fits wins."""

import json
import logging
import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof_gateway.conditions import Match, When
from stackproof_gateway.prompt import Prompt
from stackproof_gateway.script_reading import load_scripts, read_script
from stackproof_gateway.strict_fields import ScriptError

TOOL = {"name": "weather", "parameters": {"type": "object"}}
ARGUMENTS = '{"city": "Oslo"}'
RESULT = "21 degrees in Oslo"
USER = {"role": "user", "content": "Trip to Oslo"}
CHAT_CALL = {"role": "assistant", "tool_calls": [
    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
]}  # fmt: skip
CHAT_LOOP = [USER, CHAT_CALL, {"role": "tool", "tool_call_id": "c1", "content": RESULT}]
RESPONSE_CALL = {
    "type": "function_call",
    "call_id": "c1",
    "name": "weather",
    "arguments": ARGUMENTS,
}
RESPONSE_LOOP = [
    USER,
    RESPONSE_CALL,
    {"type": "function_call_output", "call_id": "c1", "output": RESULT},
]
MESSAGE_LOOP = [
    USER,
    {"role": "assistant", "content": [
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}
    ]},
    {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "c1", "content": RESULT}
    ]},
]  # fmt: skip
LOOPS = [
    ("/v1/chat/completions", {"messages": CHAT_LOOP}),
    ("/v1/responses", {"input": RESPONSE_LOOP}),
    ("/v1/messages", {"messages": MESSAGE_LOOP, "max_tokens": 50}),
]


@pytest.fixture
def script_of(gateway):
    """The name of the script that answers a request; None if none does."""

    def find(path="/v1/chat/completions", headers=(), **fields):
        if path == "/v1/chat/completions":
            fields = {"messages": [USER], **fields}
        base = gateway.openai_base_url.removesuffix("/v1")
        answer = httpx.post(
            base + path,
            json={"model": "m", **fields},
            headers={"authorization": "Bearer x", **dict(headers)},
        )
        assert answer.status_code == 200, answer.text
        return gateway.requests()[-1].script or None

    return find


@pytest.mark.parametrize(("path", "body"), LOOPS)
def test_text_is_what_the_user_said_and_a_tool_loop_ends(gateway, script_of, path, body):
    first = gateway.when(text="Oslo").reply(tool_calls=[{"name": "weather", "arguments": {}}])
    second = gateway.when(tool_result="21 degrees").reply("Pack a T-shirt.")
    before = {key: value[:1] if isinstance(value, list) else value for key, value in body.items()}
    assert script_of(path, **before) == first
    assert script_of(path, **body) == second


@pytest.mark.parametrize(("path", "body"), LOOPS)
def test_a_tool_result_counts_until_the_model_has_replied(gateway, script_of, path, body):
    gateway.when(tool_result="Oslo").reply("wrong")
    turns = [{"role": "assistant", "content": "Warm."}, {"role": "user", "content": "Thanks"}]
    longer = {
        key: [*value, *turns] if isinstance(value, list) else value for key, value in body.items()
    }
    assert script_of(path, **longer) is None


def test_an_earlier_response_is_part_of_the_conversation_but_its_tool_results_are_past(
    gateway, client
):
    gateway.when(tool_result="Oslo").reply("from the tool")
    first = client.responses.create(model="m", input=RESPONSE_LOOP)
    assert first.output_text == "from the tool"
    gateway.when(turn=3, last_reply="from the").reply("the third turn")
    later = client.responses.create(model="m", input="bye", previous_response_id=first.id)
    assert later.output_text == "the third turn"


@pytest.mark.parametrize(
    ("conditions", "fields", "others"),
    [
        ({"system": "planner"},
         {"messages": [{"role": "developer", "content": "You are a planner."}, USER]},
         {"messages": [{"role": "user", "content": "You are a planner."}]}),
        ({"message": "21"}, {"messages": CHAT_LOOP}, {}),
        ({"message": "weather {"}, {"messages": CHAT_LOOP}, {}),
        ({"last_reply": "weather"}, {"messages": CHAT_LOOP},
         {"messages": [*CHAT_LOOP, {"role": "assistant", "content": "Warm."}, USER]}),
        ({"tool": "wea*"}, {"tools": [{"type": "function", "function": TOOL}]}, {}),
        ({"schema": "plan"},
         {"response_format": {"type": "json_schema", "json_schema": {"name": "plan"}}}, {}),
        ({"schema": "Plan"},
         {"response_format": {"type": "json_schema",
                              "json_schema": {"name": "x", "schema": {"title": "Plan"}}}}, {}),
        ({"schema": "weather"},
         {"tools": [{"type": "function", "function": TOOL}], "tool_choice": "required"},
         {"tools": [{"type": "function", "function": TOOL}]}),
        ({"turn": 2}, {"messages": CHAT_LOOP}, {}),
        ({"header": {"X-Step": "out*"}}, {"headers": {"x-step": "outline"}},
         {"headers": {"x-step": "review"}}),
        ({"system": re.compile("^you", re.IGNORECASE)},
         {"messages": [{"role": "system", "content": "You"}, USER]}, {}),
        ({"model": re.compile("^m$"), "text": re.compile("^Trip")}, {},
         {"messages": [{"role": "user", "content": "A Trip"}]}),
        ({"header": {"x-step": re.compile(r"\d")}}, {"headers": {"x-step": "step 1"}}, {}),
        ({"tool_result": re.compile(r"\d+ degrees")}, {"messages": CHAT_LOOP}, {}),
    ],
)  # fmt: skip
def test_a_step_is_named_by(gateway, script_of, conditions, fields, others):
    name = gateway.when(**conditions).reply("{}")
    assert script_of(**fields) == name
    assert script_of(**others) is None


def test_responses_and_messages_have_the_same_conditions(gateway, script_of):
    both = gateway.when(system="planner", tool="weather", turn=2, last_reply="Oslo").reply("x")
    assert script_of("/v1/responses", instructions="planner", input=RESPONSE_LOOP,
                     tools=[{"type": "function", **TOOL}]) == both  # fmt: skip
    tool = {"name": "weather", "input_schema": {"type": "object"}}
    assert script_of("/v1/messages", system="planner", messages=MESSAGE_LOOP, max_tokens=9,
                     tools=[tool]) == both  # fmt: skip
    form = gateway.when(schema="plan").reply("{}")
    assert script_of("/v1/responses", input="x", text={"format": {
        "type": "json_schema", "name": "plan", "schema": {}}}) == form  # fmt: skip


def test_calls_in_a_row_are_one_turn_and_a_begun_answer_is_none():
    items = [USER, RESPONSE_CALL, RESPONSE_CALL, *RESPONSE_LOOP[2:], {"role": "assistant"}]
    prompt = Prompt("m", "/v1/responses", body={"input": items})
    assert prompt.turn == 2
    assert [turn.text for turn in prompt.since_last_reply] == [RESULT]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "assistant", "x", "tool"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(
        st.sampled_from(["role", "content", "type", "tool_calls", "function", "name", "text",
                         "output", "input", "messages", "tools", "response_format", "schema",
                         "json_schema", "format"]), below, max_size=4),
)  # fmt: skip


KEYS = st.sampled_from(["messages", "input", "tools", "response_format", "text", "system"])


@given(body=st.dictionaries(KEYS, JSON))
def test_every_body_can_be_looked_at(body):
    everything = Match("regex", "no such text")
    for subject in ("text", "tool", "schema", "last_reply", "tool_result", "message", "system"):
        assert not When(((subject, everything),), turn=1).fits(Prompt("m", "/p", body=body), {})


SHADOWED = [
    ({}, {"text": "a"}),
    ({"text": "Oslo"}, {"text": "in Oslo"}),
    ({"text": "Oslo"}, {"text": "Oslo", "turn": 2}),
    ({"model": "gpt-*"}, {"model": "gpt-4o", "call": 2}),
    ({"regex": "^a"}, {"regex": "^a"}),
    ({"header": {"X-Step": "*"}}, {"header": {"x-step": "one"}}),
    ({"turn": 2}, {"turn": 2, "after": {"signal": "s"}}),
]
FREE = [
    ({"text": "in Oslo"}, {"text": "Oslo"}),
    ({"text": "a", "call": 1}, {"text": "a"}),
    ({"after": {"signal": "s"}}, {"text": "a"}),
    ({"model": "gpt-4o"}, {"model": "gpt-*"}),
    ({"model": "gpt-4?"}, {"model": "gpt-*"}),
    ({"turn": 1}, {}),
    ({"header": {"x-step": "*"}}, {}),
    ({"regex": "a"}, {"text": "a"}),
    ({"text": "a"}, {"message": "a"}),
]


@pytest.mark.parametrize(("earlier", "later"), SHADOWED)
def test_a_script_that_can_never_answer_is_told(earlier, later):
    first, second = (read_script({"when": when, "reply": "x"}, name="s")
                     for when in (earlier, later))  # fmt: skip
    assert first.hides(second)


@pytest.mark.parametrize(("earlier", "later"), FREE)
def test_a_script_that_can_answer_is_not(earlier, later):
    first, second = (read_script({"when": when, "reply": "x"}, name="s")
                     for when in (earlier, later))  # fmt: skip
    assert not first.hides(second)


def test_a_test_is_warned_and_a_script_with_times_hides_nothing(gateway):
    gateway.when(text="a").reply("x", times=1)
    gateway.when(text="a").reply("y")
    with pytest.warns(UserWarning, match="script-3 can never answer: script-2 is before it"):
        gateway.when(text="ab").reply("z")


def test_a_file_is_loaded_with_a_warning(tmp_path, caplog):
    path = tmp_path / "replies.yaml"
    path.write_text(json.dumps({"scripts": [{"reply": "x"}, {"name": "late", "reply": "y"}]}))
    with caplog.at_level(logging.WARNING):
        load_scripts(path)
    assert "replies.yaml: script late can never answer: replies-1 is before it" in caplog.text


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ({"when": {"txt": "a"}, "reply": "x"}, "Known: after, call, header, last_reply"),
        ({"reply": "x", "wen": {}}, "Known: name, optional, replies, reply, times, when"),
        ({"when": {"text": {"rex": "a"}}, "reply": "x"}, "when.text.rex: unknown key `rex`"),
        ({"when": {"text": {}}, "reply": "x"}, "text: expected a `regex`"),
        ({"when": {"system": {"regex": "("}}, "reply": "x"}, "'\\(' is not a regular expression"),
        ({"when": {"tool": {"regex": "a", "flags": "q"}}, "reply": "x"}, "known: a, i, m, s, x"),
        ({"when": {"header": {"x": 1}}, "reply": "x"}, "header.x: expected a text or"),
        ({"when": {"turn": 0}, "reply": "x"}, "from 1"),
        ({"when": {"after": None}, "reply": "x"}, "expected one of `signal`"),
    ],
)
def test_a_condition_that_is_wrong_is_an_error(script, message):
    with pytest.raises(ScriptError, match=message):
        read_script(script, name="s")
