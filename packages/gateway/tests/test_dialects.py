"""The other endpoints of OpenAI, parsed by the official client."""

import json

import openai
import pydantic
import pytest

TOOL = {
    "type": "function",
    "name": "book",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Oslo"]}},
        "required": ["city"],
    },
}


def respond(client, asked="hello", **fields):
    return client.responses.create(**{"model": "m", "input": asked, **fields})


def test_a_response_echoes_and_counts_its_tokens(client):
    response = respond(client)
    assert (response.output_text, response.status) == ("echo: hello", "completed")
    assert response.usage.total_tokens == response.usage.input_tokens + 2


def test_a_response_stream_brings_the_same_in_numbered_events(client):
    events = list(respond(client, "one two", stream=True))
    assert (
        "".join(event.delta for event in events if event.type.endswith("text.delta"))
        == "echo: one two"
    )
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert events[-1].response.output_text == "echo: one two"


def test_the_helper_of_the_client_follows_a_stream(client):
    with client.responses.stream(model="m", input="hello") as stream:
        assert stream.get_final_response().output_text == "echo: hello"


def test_a_response_calls_the_tool_that_it_must(client):
    response = respond(client, tools=[TOOL], tool_choice="required")
    (item,) = response.output
    assert (item.type, item.name, json.loads(item.arguments)) == (
        "function_call", "book", {"city": "Oslo"})  # fmt: skip
    events = list(respond(client, tools=[TOOL], tool_choice="required", stream=True))
    done = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert json.loads(done[0].arguments) == {"city": "Oslo"}


def test_a_script_answers_the_output_of_a_function(gateway, client):
    gateway.when(tool_result="booked").reply("done")
    items = [
        {"type": "function_call", "call_id": "call_1", "name": "book", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "booked"},
    ]
    assert respond(client, items).output_text == "done"


def test_structured_output_of_a_response_fits_its_schema(client):
    class Wanted(pydantic.BaseModel):
        name: str
        count: int

    parsed = client.responses.parse(model="m", input="x", text_format=Wanted).output_parsed
    assert isinstance(parsed, Wanted)


def test_a_response_is_kept_and_followed_until_it_is_deleted(client):
    first = respond(client, "one")
    second = respond(client, "two", previous_response_id=first.id)
    assert second.usage.input_tokens > first.usage.input_tokens
    assert client.responses.retrieve(first.id).output_text == "echo: one"
    assert len(client.responses.input_items.list(first.id).data) == 1
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, previous_response_id=first.id)
    assert caught.value.code == "previous_response_not_found"


def test_a_response_that_is_not_to_be_kept_is_not(client):
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(respond(client, store=False).id)


def test_a_bound_makes_a_response_incomplete(client):
    response = respond(client, "word " * 40, max_output_tokens=16)
    assert (response.status, response.incomplete_details.reason) == (
        "incomplete", "max_output_tokens")  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [{"role": "king", "content": "x"}]}, "input[0].role"),
        ({"max_output_tokens": 3}, "max_output_tokens"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"text": {"format": {"type": "poem"}}}, "text.format.type"),
        ({"tool_choice": "must"}, "tool_choice"),
    ],
)
def test_what_the_provider_refuses_of_a_response_is_refused(client, fields, param):
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, **fields)
    assert caught.value.param == param


def test_faults_and_scripts_work_on_responses_as_well(gateway, client):
    with pytest.raises(openai.InternalServerError):
        respond(client, model="m-fail-once-x")
    gateway.when(path="/v1/responses").reply("scripted")
    assert respond(client, model="m-fail-once-x").output_text == "scripted"


def test_text_is_completed_plain_and_streamed(client):
    plain = client.completions.create(model="m", prompt="hello", n=2, max_tokens=9)
    assert [choice.text for choice in plain.choices] == ["echo: hello"] * 2
    chunks = client.completions.create(model="m", prompt="hello", stream=True, max_tokens=9)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "echo: hello"


def test_each_of_several_prompts_is_completed(client):
    answer = client.completions.create(model="m", prompt=["a", "b"], stop="zz")
    assert [choice.text for choice in answer.choices] == ["echo: a", "echo: b"]


def test_nothing_is_flagged_unless_the_text_says_so(client):
    answer = client.moderations.create(input=["hello", "Flag as: violence, hate"])
    assert [result.flagged for result in answer.results] == [False, True]
    assert answer.results[1].categories.violence
    assert not answer.results[1].categories.sexual


def test_a_file_is_uploaded_listed_read_and_deleted(client):
    made = client.files.create(file=("notes.txt", b"hello \xff bytes"), purpose="assistants")
    assert (made.filename, made.bytes) == ("notes.txt", 13)
    assert [file.id for file in client.files.list(purpose="assistants")] == [made.id]
    assert client.files.content(made.id).read() == b"hello \xff bytes"
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


def test_a_file_needs_a_purpose_that_there_is(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(file=b"x", purpose="nonsense")
    assert caught.value.param == "purpose"


def test_files_of_one_test_are_not_those_of_another(server, client):
    made = client.files.create(file=b"x", purpose="assistants")
    with (
        openai.OpenAI(base_url=f"{server}/t/somebody/v1", api_key="x") as other,
        pytest.raises(openai.NotFoundError),
    ):
        other.files.retrieve(made.id)


TEXTS = {
    "refunds.txt": "Customers get their money back within thirty days of buying.",
    "backups.txt": "Restore the database from a nightly backup with pg_restore.",
    "parking.txt": "Visitors leave their cars behind the building.",
}


@pytest.fixture
def store(client):
    files = [
        client.files.create(file=(name, text.encode()), purpose="assistants")
        for name, text in TEXTS.items()
    ]
    made = client.vector_stores.create(name="handbook")
    batch = client.vector_stores.file_batches.create_and_poll(
        made.id, file_ids=[file.id for file in files]
    )
    assert batch.file_counts.completed == 3
    return made


def test_a_vector_store_finds_the_text_that_fits(client, store):
    found = client.vector_stores.search(store.id, query="restoring databases").data
    assert found[0].filename == "backups.txt"
    assert found[0].score > found[1].score
    assert "pg_restore" in found[0].content[0].text


def test_a_search_is_bounded_and_filtered_by_attributes(client, store):
    first, *_ = client.vector_stores.files.list(store.id, order="asc").data
    client.vector_stores.files.update(first.id, vector_store_id=store.id,
                                      attributes={"year": 2024})  # fmt: skip
    found = client.vector_stores.search(
        store.id, query="cars", filters={"type": "gte", "key": "year", "value": 2020}
    ).data
    assert [hit.filename for hit in found] == ["refunds.txt"]
    assert len(client.vector_stores.search(store.id, query="x", max_num_results=2).data) == 2
    strict = client.vector_stores.search(
        store.id, query="restoring databases", ranking_options={"score_threshold": 0.2}
    ).data
    assert [hit.filename for hit in strict] == ["backups.txt"]


def test_a_store_is_listed_changed_and_deleted_and_forgets_deleted_files(client, store):
    assert [known.id for known in client.vector_stores.list()] == [store.id]
    assert client.vector_stores.update(store.id, name="other").name == "other"
    first = client.vector_stores.files.list(store.id).data[0]
    assert client.vector_stores.files.content(first.id, vector_store_id=store.id).data
    client.vector_stores.files.delete(first.id, vector_store_id=store.id)
    client.files.delete(first.id)
    assert client.vector_stores.retrieve(store.id).file_counts.total == 2
    assert client.vector_stores.delete(store.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.search(store.id, query="x")


def test_pages_go_on_after_the_last_one(client):
    for number in range(5):
        client.files.create(file=(f"{number}.txt", b"x"), purpose="user_data")
    first = client.files.list(limit=2, order="asc")
    assert [file.filename for file in first.data] == ["0.txt", "1.txt"]
    assert [file.filename for file in first] == [f"{number}.txt" for number in range(5)]


def test_any_endpoint_can_be_made_to_fail_by_path(gateway, client):
    gateway.arm("fail-once", path="/v1/vector_stores*")
    with pytest.raises(openai.InternalServerError):
        client.vector_stores.create(name="x")
    assert client.vector_stores.create(name="x").id == "vs_00000001"
