"""Every answer in Anthropic's dialect has the fields that its newest SDK requires."""

import anthropic
import pytest
from packages.gateway.tests.sdk_types import watched

from stackproof.waiting import wait_until

TOOL = {"name": "f", "input_schema": {"type": "object"}}
BUDGET = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture
def client(gateway):
    gateway.when(text="refuse").reply(refusal="no")
    gateway.when(text="call").reply("calling", tool_calls=[{"name": "f"}, {"name": "f"}])
    gateway.when(text="search").reply("x", built_in=[
        {"name": "web_search", "result": [{"url": "https://example.org"}]},
        {"name": "web_fetch", "result": "a page"}, {"name": "code_execution", "result": "42"},
        {"name": "bash_code_execution", "result": "42"},
        {"name": "tool_search_tool_regex", "result": ["f"]}])  # fmt: skip
    gateway.when(text="fail").reply("x", built_in=[
        {"name": name, "error": "unavailable"} for name in (
            "web_search", "web_fetch", "code_execution", "bash_code_execution",
            "text_editor_code_execution", "tool_search_tool_bm25")])  # fmt: skip
    gateway.when(text="think").reply("yes", reasoning=["first", {"redacted": "x"}])
    url = f"{gateway.base_url}/t/{gateway.namespace}"
    with anthropic.Anthropic(base_url=url, api_key="sk-any", timeout=30) as made:
        yield made


@pytest.mark.parametrize("beta", [False, True])
@pytest.mark.parametrize(
    ("text", "fields"),
    [("hello", {}), ("refuse", {}), ("call", {"tools": [TOOL]}), ("think", {"thinking": BUDGET}),
     ("search", {}), ("fail", {})],
)  # fmt: skip
def test_messages_are_whole(client, beta, text, fields):
    lacking, api = watched(client), client.beta.messages if beta else client.messages
    messages = [{"role": "user", "content": text}]
    api.create(model="m", max_tokens=2000, messages=messages, **fields)
    list(api.create(model="m", max_tokens=2000, messages=messages, stream=True, **fields))
    api.count_tokens(model="m", messages=messages, **fields)
    assert lacking == []


@pytest.mark.parametrize("beta", [False, True])
def test_models_are_whole(client, beta):
    lacking, api = watched(client), client.beta.models if beta else client.models
    assert api.retrieve("claude-opus-5").lifecycle == "active"
    assert [one.lifecycle for one in api.list()]
    assert lacking == []


@pytest.mark.parametrize("beta", [False, True])
def test_message_batches_are_whole(client, beta):
    lacking, api = watched(client), (client.beta.messages if beta else client.messages).batches
    params = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    refused = {**params, "max_tokens": 0}
    made = api.create(requests=[{"custom_id": "a", "params": params},
                                {"custom_id": "b", "params": refused}])  # fmt: skip
    wait_until(lambda: api.retrieve(made.id).results_url, timeout=20, what="the batch ends")
    results = {line.custom_id: line.result for line in api.results(made.id)}
    assert results["a"].message.content[0].text == "echo: hello"
    assert results["b"].error.error.type == "invalid_request_error"
    assert [batch.id for batch in api.list()] == [made.id]
    api.cancel(made.id)
    assert api.delete(made.id).type == "message_batch_deleted"
    assert lacking == []


@pytest.mark.parametrize("beta", [False, True])
def test_files_are_whole(client, beta):
    lacking, api = watched(client), client.beta.files if beta else client.files
    made = api.upload(file=("note.txt", b"hello"))
    assert [file.id for file in api.list()] == [made.id]
    get = getattr(api, "retrieve_metadata", None) or api.retrieve
    assert get(made.id).size_bytes == 5
    assert api.delete(made.id).type == "file_deleted"
    assert lacking == []
