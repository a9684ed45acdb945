"""Custom tools, which get a text, and `allowed_tools`, in Chat and in Responses.

The texts of refusals were not compared with the provider's.
"""

import re

import openai
import pytest

FUNCTION = {"name": "look_up", "parameters": {"type": "object", "properties": {}}}


def grammar(definition, syntax="regex"):
    return {"syntax": syntax, "definition": definition}


class Chat:
    """A custom tool and a function, offered in Chat."""

    def __init__(self, client):
        self.client = client

    def tool(self, kind, **given):
        return {"type": kind, kind: given}

    def form(self, **given):
        return {"type": "grammar", "grammar": given}

    def allowed(self, mode, *tools):
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}

    def ask(self, **fields):
        messages = [{"role": "user", "content": "hello"}]
        return self.client.chat.completions.create(model="m", messages=messages, **fields)

    def called(self, **fields):
        calls = self.ask(**fields).choices[0].message.tool_calls or []
        return [
            (call.type, getattr(call, call.type).name,
             call.custom.input if call.type == "custom" else call.function.arguments)
            for call in calls
        ]  # fmt: skip


class Responses(Chat):
    """The same in Responses."""

    def tool(self, kind, **given):
        return {"type": kind, **given}

    def form(self, **given):
        return {"type": "grammar", **given}

    def allowed(self, mode, *tools):
        return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}

    def ask(self, **fields):
        return self.client.responses.create(model="m", input="hello", **fields)

    def called(self, **fields):
        return [
            ("custom", item.name, item.input) if item.type == "custom_tool_call"
            else ("function", item.name, item.arguments)
            for item in self.ask(**fields).output if item.type != "message"
        ]  # fmt: skip


@pytest.fixture(params=[Chat, Responses])
def api(request, client):
    return request.param(client)


def test_a_custom_tool_that_must_be_called_gets_a_text(api):
    tools = [api.tool("custom", name="shell")]
    for choice in ("required", api.tool("custom", name="shell")):
        called = api.called(tools=tools, tool_choice=choice)
        assert called == [("custom", "shell", "echo: hello")]


@pytest.mark.parametrize(
    "pattern",
    [r"SELECT [a-z]+;|\d{3}", r"^(?P<day>\d{1,2})\.[1-9]\.$", r"(?i)select\s+\w{5,}", r"a\|b"],
)
def test_the_text_fits_a_regular_expression(api, pattern):
    tools = [api.tool("custom", name="sql", format=api.form(**grammar(pattern)))]
    [(_, _, text)] = api.called(tools=tools, tool_choice="required")
    assert re.fullmatch(pattern, text)


@pytest.mark.parametrize("pattern", [r"(?!a)a", "(", r"\p{L}+"])
def test_a_regular_expression_that_no_text_is_found_for_is_an_error(api, pattern):
    tools = [api.tool("custom", name="sql", format=api.form(**grammar(pattern)))]
    with pytest.raises(openai.InternalServerError, match="can't make up an input of the tool sql"):
        api.ask(tools=tools, tool_choice="required")


def test_a_text_by_another_grammar_is_scripted_or_an_error_says_so(gateway, api):
    form = api.form(**grammar('start: "a"', "lark"))
    tools = [api.tool("custom", name="sql", format=form)]
    with pytest.raises(openai.InternalServerError, match="can't make up an input of the tool sql"):
        api.ask(tools=tools, tool_choice="required")
    gateway.when().reply(tool_calls=[{"name": "sql", "input": "SELECT 1"}])
    assert api.called(tools=tools) == [("custom", "sql", "SELECT 1")]


def test_a_scripted_call_is_of_the_kind_that_is_offered(gateway, api):
    gateway.when().reply(tool_calls=[{"name": "shell", "arguments": "ls"},
                                     {"name": "look_up", "arguments": {}}])  # fmt: skip
    tools = [api.tool("custom", name="shell"), api.tool("function", **FUNCTION)]
    assert api.called(tools=tools) == [("custom", "shell", "ls"), ("function", "look_up", "{}")]
    with pytest.raises(ValueError, match="`arguments` and `input`"):
        gateway.when().reply(tool_calls=[{"name": "x", "arguments": "y", "input": "z"}])


@pytest.mark.parametrize(
    "form",
    [
        "text",
        {"type": "dance"},
        {"type": "grammar"},
        grammar("x", "bnf"),
        grammar(""),
        grammar(5),
    ],
)
def test_a_custom_tool_without_a_proper_name_or_format_is_refused(api, form):
    if isinstance(form, dict) and "syntax" in form:
        form = api.form(**form)
    with pytest.raises(openai.BadRequestError) as caught:
        api.ask(tools=[api.tool("custom", name="sql", format=form)])
    assert caught.value.param.startswith("tools[0]")
    assert ".format" in caught.value.param
    for given in ({}, {"name": "a b"}):
        with pytest.raises(openai.BadRequestError):
            api.ask(tools=[api.tool("custom", **given)])


def test_one_of_the_allowed_tools_is_called_if_one_must_be(api):
    tools = [api.tool("function", **FUNCTION), api.tool("custom", name="shell"),
             api.tool("function", name="other")]  # fmt: skip
    custom, other = api.tool("custom", name="shell"), api.tool("function", name="other")
    assert api.called(tools=tools, tool_choice=api.allowed("auto", custom, other)) == []
    assert [name for _, name, _ in api.called(
        tools=tools, tool_choice=api.allowed("required", other, custom))] == ["other"]  # fmt: skip
    assert api.called(tools=tools, tool_choice=api.allowed("required", custom)) == [
        ("custom", "shell", "echo: hello")
    ]


def test_a_choice_of_what_is_not_offered_is_refused(api):
    tools = [api.tool("function", **FUNCTION)]
    missing = api.tool("function", name="missing")
    same_name = api.tool("custom", name="look_up")
    for choice in (missing, same_name, api.allowed("auto", missing), api.allowed("auto"),
                   api.allowed("none", tools[0]), {"type": "dance"}):  # fmt: skip
        with pytest.raises(openai.BadRequestError) as caught:
            api.ask(tools=tools, tool_choice=choice)
        assert caught.value.param.startswith("tool_choice")


def test_built_in_tools_can_be_chosen_and_allowed_in_responses(client):
    api = Responses(client)
    tools = [{"type": "web_search"}, {"type": "mcp", "server_label": "wiki", "server_url": "x"}]
    for choice in ({"type": "web_search_preview"}, {"type": "mcp", "server_label": "wiki"},
                   api.allowed("required", {"type": "mcp", "server_label": "wiki"})):  # fmt: skip
        assert api.ask(tools=tools, tool_choice=choice).status == "completed"
    for choice in ({"type": "file_search"}, {"type": "mcp", "server_label": "other"}):
        with pytest.raises(openai.BadRequestError, match="not found in 'tools' parameter"):
            api.ask(tools=tools, tool_choice=choice)


def test_a_stream_of_responses_brings_the_text_in_pieces(client):
    tool = {"type": "custom", "name": "shell"}
    with client.responses.stream(
        model="m", input="hello", tools=[tool], tool_choice="required"
    ) as stream:
        events = list(stream)
    kinds = [event.type for event in events if "custom" in event.type]
    deltas = [event.delta for event in events if event.type.endswith("call_input.delta")]
    assert kinds[-1] == "response.custom_tool_call_input.done"
    assert "".join(deltas) == events[-1].response.output[0].input == "echo: hello"


def test_a_stream_of_a_chat_brings_the_text(client):
    tool = {"type": "custom", "custom": {"name": "shell"}}
    fields = {"tools": [tool], "tool_choice": "required", "stream": True}
    chunks = list(Chat(client).ask(**fields))
    calls = [call.to_dict() for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert calls == [
        {"index": 0, "id": calls[0]["id"], "type": "custom",
         "custom": {"name": "shell", "input": ""}},
        {"index": 0, "custom": {"input": "echo: hello"}},
    ]  # fmt: skip
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_loop_with_a_custom_tool_goes_on_with_its_answer(gateway, client):
    gateway.when(tool_result="file.txt").reply("one file")
    tool = {"type": "custom", "name": "shell"}
    first = client.responses.create(model="m", input="hello", tools=[tool], tool_choice="required")
    output = {"type": "custom_tool_call_output", "call_id": first.output[0].call_id,
              "output": "file.txt"}  # fmt: skip
    second = client.responses.create(model="m", input=[output], previous_response_id=first.id)
    assert second.output_text == "one file"
