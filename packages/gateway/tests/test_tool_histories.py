"""Histories in which calls of tools and their answers don't fit are refused as providers do.

Texts, params and codes of OpenAI are those that users of the API have reported; Anthropic's about
duplicate ids and roles were not compared with the provider's own.
"""

import httpx
import openai
import pytest

ASKED = {"role": "user", "content": "hello"}


def called(*names):
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}}
            for name in names
        ],
    }


def answered(name):
    return {"role": "tool", "tool_call_id": name, "content": "done"}


def chat(client, *messages):
    return client.chat.completions.create(model="m", messages=[ASKED, *messages])


UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. The following tool_call_ids did not have response messages: "
)


def test_a_whole_history_is_answered(client):
    for history in (
        [called("a", "b"), answered("b"), answered("a")],
        [called("a"), answered("a"), called("b"), answered("b"), ASKED],
        [called("a"), answered("a"), called("a"), answered("a")],
    ):
        assert chat(client, *history).choices[0].message.content == "echo: hello"


@pytest.mark.parametrize(
    ("history", "message", "param"),
    [
        ([called("a"), ASKED], UNANSWERED + "a", "messages.[2].role"),
        ([called("a", "b"), answered("a"), ASKED], UNANSWERED + "b", "messages.[3].role"),
        ([called("a"), ASKED, answered("a")], UNANSWERED + "a", "messages.[2].role"),
        ([called("a"), called("b"), answered("b")], UNANSWERED + "a", "messages.[2].role"),
        # reported without the message it stands at; the end of the history has none
        ([called("a", "b")], UNANSWERED + "a, b", "messages"),
        ([called("a"), answered("x")], ("Invalid parameter: 'tool_call_id' of 'x' not found in "
         "'tool_calls' of previous message."), "messages.[2].tool_call_id"),
        ([answered("x")], ("Invalid parameter: messages with role 'tool' must be a response to a "
         "preceeding message with 'tool_calls'."), "messages.[1].role"),
        ([called("a"), {"role": "tool", "content": "x"}], ("Missing parameter 'tool_call_id': "
         "messages with role 'tool' must have a 'tool_call_id'."), "messages.[2].tool_call_id"),
        ([{"role": "assistant", "content": None}],
         "Invalid value for 'content': expected a string, got null.", "messages.[1].content"),
    ],
)  # fmt: skip
def test_a_broken_history_of_a_chat_is_refused(client, history, message, param):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, *history)
    error = caught.value
    assert (error.body["message"], error.param, error.code) == (message, param, None)


@pytest.mark.parametrize(
    ("calls", "param", "code"),
    [
        # the type comes first, since it says how the rest is read; nobody has reported the order
        ([{"foo": 1}], "messages[1].tool_calls[0].type", "missing_required_parameter"),
        ([{"type": "function"}], "messages[1].tool_calls[0].id", "missing_required_parameter"),
        ([{"type": "function", "id": "a"}], "messages[1].tool_calls[0].function",
         "missing_required_parameter"),
        ([{"type": "function", "id": "a", "function": {"name": "a b", "arguments": ""}}],
         "messages[1].tool_calls[0].function.name", "invalid_value"),
        ([{"type": "function", "id": "a", "function": {"name": "f", "arguments": {}}}],
         "messages[1].tool_calls[0].function.arguments", "invalid_type"),
        ([{"type": "dance", "id": "a"}], "messages[1].tool_calls[0].type", "invalid_value"),
        (["x"], "messages[1].tool_calls[0]", "invalid_type"),
        ([], "messages[1].tool_calls", "empty_array"),
    ],
)  # fmt: skip
def test_a_call_in_a_history_has_all_its_parts(client, calls, param, code):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, {"role": "assistant", "tool_calls": calls}, answered("a"))
    assert (caught.value.param, caught.value.code) == (param, code)


def function_call(name, kind="function_call", **fields):
    return {"type": kind, "call_id": name, "name": "f", "arguments": "{}", "input": "", **fields}


def output(name, kind="function_call_output"):
    return {"type": kind, "call_id": name, "output": "done"}


def respond(client, *items, **fields):
    return client.responses.create(model="m", input=[ASKED, *items], **fields)


def test_outputs_of_a_response_may_come_later_and_from_an_earlier_response(client):
    assert respond(client, function_call("a"), ASKED, output("a")).output_text
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    first = respond(client, tools=[tool], tool_choice="required")
    later = output(first.output[0].call_id)
    assert respond(client, later, previous_response_id=first.id).output_text
    with pytest.raises(openai.BadRequestError, match="No tool output found for function call call"):
        respond(client, previous_response_id=first.id)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([function_call("a")], "No tool output found for function call a."),
        ([function_call("a"), function_call("b"), output("a")],
         "No tool output found for function call b."),
        ([output("a")], "No tool call found for function call output with call_id a."),
        ([function_call("a", "custom_tool_call"), output("a")],
         "No tool call found for function call output with call_id a."),
        ([output("a", "custom_tool_call_output")],
         "No tool call found for custom tool call output with call_id a."),
        # nobody has reported an output before its call; a history in that order is not whole
        ([output("a"), function_call("a")],
         "No tool call found for function call output with call_id a."),
    ],
)  # fmt: skip
def test_a_broken_history_of_a_response_is_refused(client, items, message):
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, *items)
    error = caught.value
    assert (error.body["message"], error.param, error.code) == (message, "input", None)


@pytest.mark.parametrize("field", ["call_id", "name", "arguments"])
def test_a_call_among_the_items_has_all_its_parts(client, field):
    item = function_call("a")
    del item[field]
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, item, output("a"))
    assert caught.value.param == f"input[1].{field}"


def use(name, **fields):
    return {"type": "tool_use", "id": name, "name": "f", "input": {}, **fields}


def result(name, **fields):
    return {"type": "tool_result", "tool_use_id": name, "content": "done", **fields}


TEXT = {"type": "text", "text": "hello"}
WITHOUT = (
    "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` "
    "block must have a corresponding `tool_result` block in the next message."
)


def message(gateway, *contents):
    """Ask with a user's and then the assistant's content, in turn."""
    roles = ("user", "assistant")
    messages = [
        content if isinstance(content, dict) else {"role": roles[at % 2], "content": content}
        for at, content in enumerate(["hello", *contents])
    ]
    answer = httpx.post(
        f"{gateway.openai_base_url}/messages",
        json={"model": "m", "max_tokens": 50, "messages": messages},
        headers={"x-api-key": "sk-any", "anthropic-version": "2023-06-01"},
    )
    return answer.status_code, answer.json()


def test_messages_of_one_role_are_one_turn_whose_results_come_first(gateway):
    for contents in (
        [[TEXT, use("a"), use("b")], [result("b"), result("a"), TEXT]],
        [[use("a")], [result("a")], [use("b")], [result("b")]],
        [
            [use("a"), use("b")],
            {"role": "user", "content": [result("a")]},
            {"role": "user", "content": [result("b")]},
        ],
    ):
        assert message(gateway, *contents)[0] == 200


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        # reported with odd numbers in conversations that a user begins: the assistant's message
        ([[use("a")]], f"messages.1: {WITHOUT.format('a')}"),
        ([[use("a"), use("b")], [result("a")]], f"messages.1: {WITHOUT.format('b')}"),
        ([[use("a")], "hello", "yes", [result("a")]], f"messages.1: {WITHOUT.format('a')}"),
        ([[use("a")], [TEXT, result("a")]], f"messages.1: {WITHOUT.format('a')}"),
        ([[use("a")], [result("x")]], ("messages.2.content.0: unexpected `tool_use_id` found in "
         "`tool_result` blocks: x. Each `tool_result` block must have a corresponding `tool_use` "
         "block in the previous message.")),
        ([[use("a")], [result("a"), result("a")]], ("messages.2.content.1: each tool_use must have "
         "a single result. Found multiple `tool_result` blocks with id: a")),
        ([[use("a"), use("a")]], "messages.1.content.1: `tool_use` ids must be unique"),
        ([[result("a")]], ("messages.1.content.0: `tool_result` blocks can only be in `user` "
         "messages")),
        ([[{"type": "tool_use", "id": "a", "name": "f"}]],
         "messages.1.content.0.tool_use.input: Field required"),
        ([[{"type": "tool_use"}]], "messages.1.content.0.tool_use.id: Field required"),
        ([[use("a")], [{"type": "tool_result"}]],
         "messages.2.content.0.tool_result.tool_use_id: Field required"),
    ],
)  # fmt: skip
def test_a_broken_history_of_a_message_is_refused(gateway, contents, text):
    status, answer = message(gateway, *contents)
    assert (status, answer["error"]) == (400, {"type": "invalid_request_error", "message": text})


def server_use(name="srvtoolu_1", tool="web_search"):
    return {"type": "server_tool_use", "id": name, "name": tool, "input": {}}


def server_result(name="srvtoolu_1", tool="web_search"):
    return {"type": f"{tool}_tool_result", "tool_use_id": name, "content": []}


CALLER = {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"}


@pytest.mark.parametrize(
    "contents",
    [
        [[server_use(), server_result(), TEXT], "go on"],
        # the model has paused, or has called a tool of the client as well
        [[server_use()]],
        [[server_use(), server_result()], "go on", []],
        [[TEXT, server_use(), use("a")], [result("a")]],
        [[server_use(), use("a")], [result("a")], [server_result(), TEXT], "go on"],
        # its code has called tools of the client one after the other
        [[server_use(tool="code_execution"), use("a", caller=CALLER)], [result("a")],
         [use("b", caller=CALLER)], [result("b")]],
    ],
)  # fmt: skip
def test_a_server_tool_may_have_its_result_or_wait_for_it(gateway, contents):
    status, answer = message(gateway, *contents)
    assert status == 200, answer


SERVER_WITHOUT = (
    "messages.1: `{0}` tool use with id `srvtoolu_1` was found without a corresponding `{1}` block"
)


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        ([[server_use(), TEXT], "go on"],
         SERVER_WITHOUT.format("web_search", "web_search_tool_result")),
        ([[server_use(tool="tool_search_tool_regex")], "go on"],
         SERVER_WITHOUT.format("tool_search_tool_regex", "tool_search_tool_result")),
        # a text after the results ends the assistant's turn
        ([[server_use(), use("a")], [result("a"), TEXT]],
         SERVER_WITHOUT.format("web_search", "web_search_tool_result")),
        ([[server_use(), use("a")], [result("a")], [use("b")], [result("b")]],
         SERVER_WITHOUT.format("web_search", "web_search_tool_result")),
        ([[server_result()], "go on"], ("messages.1.content.0: unexpected `tool_use_id` found in "
         "`web_search_tool_result` blocks: srvtoolu_1. Each `web_search_tool_result` block must "
         "have a corresponding `server_tool_use` block before it.")),
        ([[server_result(), server_use()]], "messages.1.content.0: unexpected `tool_use_id` found"),
        ([[{"type": "server_tool_use", "id": ["x"], "name": "web_search", "input": {}}]],
         "messages.1.content.0.server_tool_use.id: Input should be a valid string"),
        ([[{"type": "web_search_tool_result", "content": []}]],
         "messages.1.content.0.web_search_tool_result.tool_use_id: Field required"),
    ],
)  # fmt: skip
def test_a_server_tool_without_its_partner_is_refused(gateway, contents, problem):
    status, answer = message(gateway, *contents)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert answer["error"]["message"].startswith(problem)
