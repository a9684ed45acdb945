"""Every answer has the fields that the newest OpenAI SDK requires."""

import json

import pytest
from packages.gateway.tests.sdk_types import missing, watched
from packages.gateway.tests.test_built_in_tools import ACTION, ITEMS
from pydantic import BaseModel

from stackproof.waiting import wait_until

PARAMETERS = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
              "additionalProperties": False}  # fmt: skip
FUNCTION = {"name": "f", "parameters": PARAMETERS}


@pytest.fixture
def lacking(gateway, client):
    gateway.when(text="refuse").reply(refusal="no")
    gateway.when(text="call").reply("calling", tool_calls=[{"name": "f"}, {"name": "f"}])
    gateway.when(text="think").reply("yes", reasoning=["first", {"redacted": "x"}])
    web = {"type": "web_search_call", "action": ACTION}
    listed = {"type": "mcp_list_tools", "server_label": "wiki", "tools": [{"name": "read"}]}
    request = {"type": "mcp_approval_request", "server_label": "wiki", "name": "read"}
    gateway.when(text="built in").reply("x", items=[web, listed, request, *ITEMS], annotations=[
        {"type": "url_citation", "url": "x"}, {"type": "file_citation", "file_id": "x"},
        {"type": "container_file_citation", "file_id": "x", "container_id": "x"},
        {"type": "file_path", "file_id": "x"}])  # fmt: skip
    return watched(client)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("hello", {}), ("hello", {"n": 2}), ("hello", {"logprobs": True, "top_logprobs": 2}),
        ("refuse", {}), ("call", {"tools": [{"type": "function", "function": FUNCTION}]}),
        ("hello", {"tools": [{"type": "custom", "custom": {"name": "f"}}],
                   "tool_choice": "required"}),
    ],
)  # fmt: skip
def test_chat_completions_are_whole(client, lacking, text, fields):
    fields = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
    client.chat.completions.create(**fields)
    list(client.chat.completions.create(**fields, stream=True,
                                        stream_options={"include_usage": True}))  # fmt: skip
    assert lacking == []


@pytest.mark.parametrize("fields", [{}, {"logprobs": 2}])
def test_completions_are_whole(client, lacking, fields):
    client.completions.create(model="m", prompt="hello", **fields)
    list(client.completions.create(model="m", prompt="hello", stream=True, **fields))
    assert lacking == []


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("hello", {}), ("hello", {"max_output_tokens": 16}), ("refuse", {}),
        ("call", {"tools": [{"type": "function", **FUNCTION, "strict": True}]}),
        ("think", {"model": "o3", "reasoning": {"effort": "low", "summary": "auto"}}),
        ("hello", {"tools": [{"type": "custom", "name": "f"}], "tool_choice": "required"}),
        ("built in", {}), ("hello", {"background": True}),
        ("hello", {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
    ],
)  # fmt: skip
def test_responses_are_whole(client, lacking, text, fields):
    fields = {"model": "m", "input": text, **fields}
    kept = client.responses.create(**fields)
    list(client.responses.create(**fields, stream=True))
    client.responses.retrieve(kept.id)
    list(client.responses.input_items.list(kept.id))
    client.responses.delete(kept.id)
    assert lacking == []


def test_searches_of_responses_are_whole(client, lacking):
    file = client.files.create(file=("a.txt", b"hello world"), purpose="assistants").id
    store = client.vector_stores.create(name="s", file_ids=[file]).id
    fields = {"model": "m", "input": "hello", "include": ["file_search_call.results"],
              "tools": [{"type": "file_search", "vector_store_ids": [store]}]}  # fmt: skip
    assert client.responses.create(**fields).output[0].results
    list(client.responses.create(**fields, stream=True))
    assert lacking == []


def test_conversations_are_whole(client, lacking):
    said = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "done"}]  # fmt: skip
    made = client.conversations.create(items=said[:1]).id
    items = client.conversations.items.create(made, items=said[1:]).data
    client.responses.create(model="gpt-5", input="hello", conversation=made)
    list(client.conversations.items.list(made))
    client.conversations.items.retrieve(items[0].id, conversation_id=made)
    client.conversations.items.delete(items[0].id, conversation_id=made)
    client.conversations.update(made, metadata={"a": "b"})
    client.conversations.retrieve(made)
    client.conversations.delete(made)
    assert lacking == []


def test_what_is_asked_of_responses_and_inputs_is_whole(client, lacking):
    fields = {"model": "m", "input": "hello"}
    client.responses.cancel(client.responses.create(**fields, background=True).id)
    client.responses.input_tokens.count(**fields)
    client.responses.compact(**fields)
    assert lacking == []


def test_what_is_not_written_by_a_model_is_whole(client, lacking):
    client.embeddings.create(model="m", input=["a", "b"], encoding_format="float")
    client.moderations.create(input=["a", "Flag as: violence, hate"])
    list(client.models.list())
    client.models.retrieve("gpt-4o")
    assert lacking == []


def test_files_and_stores_are_whole(client, lacking):
    file = client.files.create(file=("a.txt", b"hello world"), purpose="assistants").id
    client.files.retrieve(file)
    list(client.files.list())
    stores = client.vector_stores
    store = stores.create(name="s", file_ids=[file]).id
    stores.retrieve(store)
    stores.update(store, name="t")
    list(stores.list())
    list(stores.search(store, query="hello"))
    list(stores.files.list(store))
    stores.files.retrieve(file, vector_store_id=store)
    stores.files.update(file, vector_store_id=store, attributes={"a": 1})
    list(stores.files.content(file, vector_store_id=store))
    batch = stores.file_batches.create(store, file_ids=[file]).id
    stores.file_batches.retrieve(batch, vector_store_id=store)
    list(stores.file_batches.list_files(batch, vector_store_id=store))
    stores.file_batches.cancel(batch, vector_store_id=store)
    stores.files.delete(file, vector_store_id=store)
    stores.delete(store)
    client.files.delete(file)
    assert lacking == []


def test_batches_and_uploads_are_whole(client, lacking):
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    for content in (json.dumps(line).encode(), b"broken"):
        file = client.files.create(file=("a.jsonl", content), purpose="batch").id
        batch = client.batches.create(input_file_id=file, endpoint="/v1/chat/completions",
                                      completion_window="24h").id  # fmt: skip
        wait_until(lambda: client.batches.retrieve(batch).status in {"completed", "failed"},  # noqa: B023 - at once
                   timeout=20, what="the batch ends")  # fmt: skip
    list(client.batches.list())
    begun = {"bytes": 5, "filename": "a.txt", "mime_type": "text/plain", "purpose": "assistants"}
    upload = client.uploads.create(**begun).id
    part = client.uploads.parts.create(upload, data=b"hello").id
    client.uploads.complete(upload, part_ids=[part])
    client.uploads.cancel(client.uploads.create(**begun).id)
    assert lacking == []


def test_images_and_transcriptions_are_whole(client, lacking):
    client.images.generate(model="gpt-image-1", prompt="a cat")
    list(client.images.generate(model="gpt-image-1", prompt="a cat", stream=True))
    said = client.audio.speech.create(model="tts-1", voice="alloy", input="hello",
                                      response_format="wav").read()  # fmt: skip
    for fields in ({"model": "whisper-1", "response_format": "verbose_json"},
                   {"model": "gpt-4o-transcribe"}):  # fmt: skip
        client.audio.transcriptions.create(file=("a.wav", said), **fields)
    list(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", said),
                                            stream=True))  # fmt: skip
    assert lacking == []


def test_kept_chat_completions_and_deleted_models_are_whole(client, lacking):
    kept = client.chat.completions
    messages = [{"role": "user", "content": "hello"}]
    made = kept.create(model="m", messages=messages, store=True).id
    list(kept.list())
    kept.retrieve(made)
    kept.update(made, metadata={"a": "b"})
    list(kept.messages.list(made))
    kept.delete(made)
    client.models.delete("ft:gpt-4o:x")
    assert lacking == []


def test_a_field_that_is_required_and_missing_is_found_wherever_it_is():
    class Leaf(BaseModel):
        name: str
        note: str | None = None

    class Tree(BaseModel):
        leaves: list[Leaf | None]
        first: Leaf | None

    assert missing(Tree, {"leaves": [{"name": "a"}, None], "first": None}) == []
    assert missing(Tree, {"leaves": [{}, {"note": "x"}]}) == [
        ".leaves[].name", ".leaves[].name", ".first"]  # fmt: skip
