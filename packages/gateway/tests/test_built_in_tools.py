"""Built-in tools of the Responses API: searches in the gateway's own stores, and scripted ones."""

import httpx
import openai
import pytest

MCP = {"type": "mcp", "server_label": "wiki", "server_url": "https://wiki.example"}


def respond(client, given="hello", **fields):
    return client.responses.create(model="m", input=given, **fields)


@pytest.fixture
def search(client):
    """The tool over a store with two files."""
    store = client.vector_stores.create(name="handbook")
    for name, text in (("refunds.txt", "You get a refund within 14 days."),
                       ("opening.txt", "The shop opens at nine.")):  # fmt: skip
        file = client.files.create(file=(name, text.encode()), purpose="assistants")
        client.vector_stores.files.create(
            store.id, file_id=file.id, attributes={"kind": name.removesuffix(".txt")}
        )
    return {"type": "file_search", "vector_store_ids": [store.id]}


def test_a_file_search_finds_cites_and_tells_its_results_if_asked(client, search):
    asked = "When do I get a refund?"
    answer = respond(client, asked, tools=[search], include=["file_search_call.results"])
    call, message = answer.output
    assert (call.type, call.status, call.queries) == ("file_search_call", "completed", [asked])
    best = call.results[0]
    assert (best.filename, best.text) == ("refunds.txt", "You get a refund within 14 days.")
    assert best.attributes == {"kind": "refunds"}
    assert [hit.score for hit in call.results] == sorted(
        (hit.score for hit in call.results), reverse=True
    )
    [cited] = message.content[0].annotations
    assert (cited.type, cited.file_id, cited.filename) == (
        "file_citation", best.file_id, "refunds.txt",
    )  # fmt: skip
    assert cited.index == len(answer.output_text)
    assert respond(client, asked, tools=[search]).output[0].results is None


def test_the_settings_of_a_search_are_honoured_or_refused(client, search):
    def results(**fields):
        answer = respond(client, "refund within 14 days", tools=[{**search, **fields}],
                         include=["file_search_call.results"])  # fmt: skip
        return [result.filename for result in answer.output[0].results]

    assert results(max_num_results=1) == ["refunds.txt"]
    only = {"type": "eq", "key": "kind", "value": "opening"}
    assert results(filters=only) == ["opening.txt"]
    assert results(ranking_options={"score_threshold": 0.999}) == []
    for wrong in ({"max_num_results": 51}, {"ranking_options": {"score_threshold": 2}},
                  {"filters": {"type": "near"}}):  # fmt: skip
        with pytest.raises(openai.BadRequestError):
            results(**wrong)


def test_a_search_is_left_out_where_the_model_does_not_answer_the_user(client, search):
    function = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    tools = [function, search]
    first = respond(client, tools=tools, tool_choice="required")
    assert [item.type for item in first.output] == ["function_call"]
    output = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "x"}
    second = respond(client, [output], tools=tools, previous_response_id=first.id)
    assert [item.type for item in second.output] == ["message"]
    for choice, searches in (("none", False), ({"type": "file_search"}, True)):
        answer = respond(client, tools=tools, tool_choice=choice)
        assert (answer.output[0].type == "file_search_call") is searches


def test_a_scripted_text_is_searched_for_and_cited_as_well(gateway, client, search):
    gateway.when().reply("Within 14 days.")
    call, message = respond(client, "When do I get a refund?", tools=[search]).output
    assert (call.type, message.content[0].text) == ("file_search_call", "Within 14 days.")
    assert message.content[0].annotations[0].filename == "refunds.txt"


def test_a_streamed_search_has_the_events_of_the_provider(client, search):
    with client.responses.stream(model="m", input="a refund?", tools=[search]) as stream:
        events = list(stream)
    kinds = [event.type for event in events]
    at = kinds.index("response.file_search_call.in_progress")
    assert kinds[at : at + 3] == [
        f"response.file_search_call.{step}" for step in ("in_progress", "searching", "completed")
    ]
    added = next(event for event in events if event.type.endswith("annotation.added"))
    [cited] = events[-1].response.output[1].content[0].annotations
    assert added.annotation.to_dict() == cited.to_dict()


ACTION = {"type": "search", "query": "weather", "queries": ["weather"],
          "sources": [{"type": "url", "url": "https://example.org"}]}  # fmt: skip


def test_a_web_search_is_scripted_with_what_it_cites(gateway, client):
    gateway.when().reply(
        "It rains.", items=[{"type": "web_search_call", "action": ACTION}],
        annotations=[{"type": "url_citation", "url": "https://example.org", "title": "Weather"}],
    )  # fmt: skip
    tools = [{"type": "web_search"}]
    call, message = respond(client, tools=tools).output
    assert (call.type, call.action.query, call.action.sources) == (
        "web_search_call", "weather", None,
    )  # fmt: skip
    assert message.content[0].annotations[0].to_dict() == {
        "type": "url_citation", "url": "https://example.org", "title": "Weather",
        "start_index": 0, "end_index": 9,
    }  # fmt: skip
    told = respond(client, tools=tools, include=["web_search_call.action.sources"]).output[0]
    assert told.action.sources[0].url == "https://example.org"
    again = [item.to_dict() for item in respond(client, tools=tools).output]
    assert respond(client, [*again, {"role": "user", "content": "and now?"}]).output_text


def test_a_call_of_mcp_is_listed_approved_and_made(gateway, client):
    listed = {"type": "mcp_list_tools", "server_label": "wiki", "tools": [{"name": "read"}]}
    request = {"type": "mcp_approval_request", "server_label": "wiki", "name": "read",
               "arguments": {"page": "a"}}  # fmt: skip
    made = {"type": "mcp_call", "server_label": "wiki", "name": "read", "output": "text of a"}
    gateway.when(text="hello").reply(items=[listed, request])
    gateway.when(tool_result="approve: true").reply("Read it.", items=[made])
    gateway.when(tool_result="approve: false not now").reply("Then not.")
    first = respond(client, tools=[MCP])
    assert [item.type for item in first.output] == ["mcp_list_tools", "mcp_approval_request"]
    assert first.output[0].tools[0].input_schema == {"type": "object"}
    assert first.output[1].arguments == '{"page": "a"}'
    fields = {"previous_response_id": first.id, "tools": [MCP]}
    answer = {"type": "mcp_approval_response", "approval_request_id": first.output[1].id}
    second = respond(client, [{**answer, "approve": True}], **fields)
    assert (second.output[0].output, second.output_text) == ("text of a", "Read it.")
    refused = {**answer, "approve": False, "reason": "not now"}
    assert respond(client, [refused], **fields).output_text == "Then not."
    unknown = {**answer, "approval_request_id": "mcpr_x", "approve": True}
    with pytest.raises(openai.BadRequestError, match="No approval request found"):
        respond(client, [unknown], **fields)


ITEMS = [
    {"type": "mcp_call", "server_label": "wiki", "name": "read", "arguments": "{}",
     "error": {"type": "http_error", "code": 500, "message": "down"}},
    {"type": "code_interpreter_call", "code": "print(1)",
     "outputs": [{"type": "logs", "logs": "1"}]},
    {"type": "image_generation_call", "result": "aGk="},
    {"type": "computer_call", "action": {"type": "screenshot"}},
    {"type": "shell_call", "action": {"commands": ["ls"]}},
    {"type": "local_shell_call", "action": {"type": "exec", "command": ["ls"], "env": {}}},
    {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
]  # fmt: skip


def test_uses_of_built_in_tools_are_items_as_well(gateway, client):
    found = [{"url": "https://example.org", "title": "Weather"}]
    gateway.when(text="hello").reply("It rains.", built_in=[
        {"name": "web_search", "input": {"query": "weather"}, "result": found},
        {"name": "web_fetch", "input": {"url": "https://example.org"}, "error": "url_not_allowed"},
        {"name": "read", "server": "wiki", "input": {"page": "a"}, "result": ["text"]},
        {"name": "read", "server": "wiki", "error": "gone"},
        {"name": "bash_code_execution", "input": {"command": "ls"}, "result": "a.txt"},
    ])  # fmt: skip
    include = ["web_search_call.action.sources", "code_interpreter_call.outputs"]
    search, fetch, read, failed, shell, message = respond(client, include=include).output
    assert (search.action.query, search.action.sources[0].url) == ("weather", found[0]["url"])
    assert (fetch.action.type, fetch.status) == ("open_page", "failed")
    assert (read.type, read.server_label, read.arguments, read.output) == (
        "mcp_call", "wiki", '{"page": "a"}', '["text"]',
    )  # fmt: skip
    assert (failed.status, failed.error.content, failed.output) == ("failed", "gone", None)
    assert (shell.code, shell.outputs[0].logs) == ("ls", "a.txt")
    assert message.content[0].text == "It rains."
    gateway.when(text="other").reply("x", built_in=[{"name": "memory", "result": "x"}])
    with pytest.raises(openai.InternalServerError, match="the tool memory, for which Responses"):
        respond(client, "other")
    with pytest.raises(openai.InternalServerError, match="the tool memory, for which Responses"):
        respond(client, "other", store=False, stream=True)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["type"])
def test_an_item_of_each_built_in_tool_can_be_scripted(gateway, client, item):
    gateway.when().reply(items=[item])
    include = ["code_interpreter_call.outputs"]
    [told] = respond(client, include=include).output
    assert told.id
    assert told.to_dict().items() >= item.items()
    with client.responses.stream(model="m", input="hello", include=include) as stream:
        events = list(stream)
    assert events[-1].response.output[0].type == item["type"]
    kinds = [event.type for event in events]
    if item["type"] == "mcp_call":
        assert told.status == "failed"
        assert "response.mcp_call.failed" in kinds
    if item["type"] == "code_interpreter_call":
        assert "response.code_interpreter_call_code.done" in kinds


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"items": [{"type": "dance"}]}, "expected a `type`"),
        ({"items": [{"type": "mcp_call", "name": "x"}]}, "mcp_call needs `server_label`"),
        ({"items": [{"type": "web_search_call", "action": ACTION, "queri": 1}]}, "queri"),
        ({"text": "x", "annotations": [{"type": "url_citation"}]}, "url_citation needs `url`"),
        ({"annotations": [{"type": "url_citation", "url": "x"}]}, "`annotations` go with a `text`"),
        ({"error": {}, "items": [ITEMS[0]]}, "`error` and `items` can't be used together"),
    ],
)
def test_a_script_whose_items_are_not_what_they_should_be_is_refused(gateway, reply, message):
    with pytest.raises(ValueError, match=message):
        gateway.when().reply(**reply)


def test_items_are_answered_in_responses_alone_and_citations_in_chats_too(gateway, client):
    gateway.when(text="items").reply(items=[ITEMS[0]])
    gateway.when(text="cited").reply(
        "It rains.", annotations=[{"type": "url_citation", "url": "https://example.org"}]
    )
    answer = httpx.post(
        f"{gateway.openai_base_url}/chat/completions", headers={"authorization": "Bearer sk-any"},
        json={"model": "m", "messages": [{"role": "user", "content": "items"}]},
    )  # fmt: skip
    assert answer.status_code == 500
    assert "says `items`, for which /v1/chat/completions" in answer.text
    chat = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "cited"}]
    )
    assert chat.choices[0].message.annotations[0].url_citation.end_index == 9
