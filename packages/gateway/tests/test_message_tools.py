"""Tools of a request to Anthropic: what is refused, and tools that the provider runs itself.

The refusals are those that users of the API report; what comes out of a built-in tool is scripted,
in the form of the SDK's types.
"""

import openai
import pytest
from packages.gateway.tests.rig import events_of

FUNCTION = {"name": "f", "input_schema": {"type": "object"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def blocks(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["content"]


@pytest.mark.parametrize(
    ("tools", "problem"),
    [
        ([{"type": "function", "function": {"name": "f"}}],
         "tools.0: Input tag 'function' found using 'type' does not match any of the expected"),
        ([{"input_schema": {}}], "tools.0.custom.name: Field required"),
        ([{"name": "f"}], "tools.0.custom.input_schema: Field required"),
        ([{"name": "f", "input_schema": {}}], "tools.0.custom.input_schema.type: Field required"),
        ([{"name": "f", "input_schema": {"type": "array"}}],
         "tools.0.custom.input_schema.type: Input should be 'object'"),
        ([FUNCTION, FUNCTION], "tools: Tool names must be unique."),
        ([7], "tools.0: Input should be an object"),
    ],
)  # fmt: skip
def test_tools_that_the_provider_refuses_are_refused(ask_message, tools, problem):
    answer = ask_message(tools=tools)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(problem)


def test_a_script_says_what_a_search_found(ask_message, gateway):
    found = {"url": "https://example.org", "title": "Example"}
    use = {"name": "web_search", "input": {"query": "rain"}, "result": [found]}
    failed = {"name": "web_search", "error": "max_uses_exceeded"}
    gateway.when().reply("It rains.", built_in=[use, failed])
    answer = ask_message(tools=[SEARCH])
    asked, result, again, refused, text = blocks(answer)
    assert (asked["type"], asked["name"], asked["input"]) == (
        "server_tool_use", "web_search", {"query": "rain"})  # fmt: skip
    assert (result["type"], result["tool_use_id"]) == ("web_search_tool_result", asked["id"])
    assert result["content"][0]["title"] == "Example"
    assert result["content"][0]["encrypted_content"]
    assert again["id"] != asked["id"]
    assert refused["content"] == {
        "type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}  # fmt: skip
    assert text["text"] == "It rains."
    assert answer.json()["usage"]["server_tool_use"] == {
        "web_search_requests": 2, "web_fetch_requests": 0}  # fmt: skip
    said = {"role": "assistant", "content": blocks(answer)}
    hello = {"role": "user", "content": "hello"}
    assert blocks(ask_message(hello, said, hello, tools=[SEARCH]))


@pytest.mark.parametrize(
    ("use", "kind", "content"),
    [
        ({"name": "code_execution", "result": "42\n"}, "code_execution_tool_result",
         {"type": "code_execution_result", "stdout": "42\n", "return_code": 0}),
        ({"name": "bash_code_execution", "result": {"return_code": 1, "stderr": "no"}},
         "bash_code_execution_tool_result", {"stderr": "no", "return_code": 1, "stdout": ""}),
        ({"name": "web_fetch", "input": {"url": "https://example.org"}, "result": "a page"},
         "web_fetch_tool_result", {"type": "web_fetch_result", "url": "https://example.org"}),
        ({"name": "tool_search_tool_regex", "result": ["f"]}, "tool_search_tool_result",
         {"tool_references": [{"type": "tool_reference", "tool_name": "f"}]}),
        ({"name": "web_fetch", "error": "url_not_accessible"}, "web_fetch_tool_result",
         {"type": "web_fetch_tool_result_error", "error_code": "url_not_accessible"}),
    ],
)  # fmt: skip
def test_results_have_the_form_of_their_tool(ask_message, gateway, use, kind, content):
    gateway.when().reply("done", built_in=[use])
    result = blocks(ask_message())[1]
    assert result["type"] == kind
    assert content.items() <= result["content"].items()


def test_a_script_says_what_an_mcp_server_answers(ask_message, gateway):
    use = {"name": "find", "server": "orders", "input": {"id": 7}}
    gateway.when().reply("done", built_in=[{**use, "result": "shipped"}, {**use, "error": "gone"}])
    asked, result, _, failed, _ = blocks(ask_message())
    assert asked == {"type": "mcp_tool_use", "id": asked["id"], "name": "find",
                     "server_name": "orders", "input": {"id": 7}}  # fmt: skip
    assert result == {"type": "mcp_tool_result", "tool_use_id": asked["id"], "is_error": False,
                      "content": [{"type": "text", "text": "shipped"}]}  # fmt: skip
    assert failed["is_error"]


def test_a_stream_brings_the_arguments_in_pieces_and_the_result_whole(ask_message, gateway):
    gateway.when().reply("x", built_in=[
        {"name": "web_search", "input": {"query": "rain"}, "result": []}])  # fmt: skip
    events = events_of(ask_message(stream=True))
    begun = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert (begun[0]["input"], begun[1]["content"]) == ({}, [])
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert deltas[1] == {"type": "input_json_delta", "partial_json": '{"query": "rain"}'}


def test_a_forced_tool_that_no_script_uses_is_unavailable(ask_message):
    choice = {"type": "tool", "name": "web_search"}
    asked, result, text = blocks(ask_message(tools=[SEARCH, FUNCTION], tool_choice=choice))
    assert asked["name"] == "web_search"
    assert result["content"]["error_code"] == "unavailable"
    assert text["type"] == "text"


def test_an_endpoint_without_a_form_for_what_a_script_says_says_so(client, gateway, ask_message):
    gateway.when(path="/v1/completions").reply("x", built_in=[{"name": "web_search", "result": []}])
    gateway.when().reply("x", items=[{"type": "web_search_call", "action": {
        "type": "search", "query": "rain"}}])  # fmt: skip
    with pytest.raises(openai.InternalServerError, match="says `built_in`"):
        client.completions.create(model="m", prompt="hello")
    assert len(gateway.requests()) == 1
    answer = ask_message()
    assert (answer.status_code, "says `items`" in answer.json()["error"]["message"]) == (500, True)


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        ({"result": []}, "a built-in tool needs a `name`"),
        ({"name": "web_search"}, "expected either `result` or `error`"),
        ({"name": "web_search", "result": [], "error": "x"}, "expected either `result` or `error`"),
        ({"name": "web_search", "results": [], "error": "x"}, "did you mean `result`"),
    ],
)
def test_a_script_with_another_use_is_refused(gateway, use, problem):
    with pytest.raises(ValueError, match=problem):
        gateway.when().reply("x", built_in=[use])
