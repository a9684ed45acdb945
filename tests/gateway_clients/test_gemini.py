"""Gemini's dialect with Google's own SDK and LiteLLM."""

import asyncio
import io
import json

import litellm
import pydantic
import pytest
from google import genai
from google.genai import errors, types

from stackproof_gateway.gemini.fields import MESSAGES

MODEL = "gemini-2.5-flash-lite"
BOTH = [{"name": "weather", "arguments": {"city": city}} for city in ("Oslo", "Rome")]


class Parcel(pydantic.BaseModel):
    title: str
    count: int
    tags: list[str]


def weather(city: str) -> str:
    """What the weather is.

    Args:
        city: Where.
    """
    return f"21 degrees in {city}"


@pytest.fixture
def client(gateway):
    with genai.Client(api_key="sk-any", http_options={"base_url": gateway.gemini_base_url}) as made:
        yield made


@pytest.fixture
def models(client):
    return client.models


@pytest.fixture
def lite(gateway):
    """Asks LiteLLM; it wants the version of the API in the base URL."""

    def completed(content="hello", **fields):
        fields = {"model": f"gemini/{MODEL}", "num_retries": 0, **fields}
        messages = fields.pop("messages", [{"role": "user", "content": content}])
        base = f"{gateway.gemini_base_url}/v1beta"
        return litellm.completion(messages=messages, api_base=base, api_key="sk-any", **fields)

    return completed


def test_the_sdk_reads_answers_and_streams(models):
    config = {"system_instruction": "Be brief.", "temperature": 0.5}
    answer = models.generate_content(model=MODEL, contents="one two", config=config)
    assert (answer.text, answer.candidates[0].finish_reason) == ("echo: one two", "STOP")
    assert answer.usage_metadata.total_token_count == 4 + 3
    chunks = list(models.generate_content_stream(model=MODEL, contents="one two"))
    assert "".join(chunk.text for chunk in chunks) == "echo: one two"
    assert chunks[-1].candidates[0].finish_reason == "STOP"


def test_the_asynchronous_sdk_reads_answers_and_streams(client):
    async def asked():
        answer = await client.aio.models.generate_content(model=MODEL, contents="one")
        stream = await client.aio.models.generate_content_stream(model=MODEL, contents="two")
        return answer.text, "".join([chunk.text async for chunk in stream])

    assert asyncio.run(asked()) == ("echo: one", "echo: two")


def test_the_sdk_parses_answers_by_either_kind_of_schema(models):
    config = {"response_mime_type": "application/json", "response_schema": list[Parcel]}
    parsed = models.generate_content(model=MODEL, contents="x", config=config).parsed
    assert [type(parcel) for parcel in parsed] == [Parcel]
    config = {
        "response_mime_type": "application/json",
        "response_json_schema": Parcel.model_json_schema(),
    }
    answer = models.generate_content(model=MODEL, contents="x", config=config)
    assert Parcel.model_validate_json(answer.text)


def test_the_sdk_calls_functions_by_itself_both_of_one_turn(models, gateway):
    gateway.when(text="weather", turn=1).reply(tool_calls=BOTH)
    gateway.when(tool_result="21 degrees in Rome", turn=2).reply("warm")
    config = types.GenerateContentConfig(tools=[weather])
    answer = models.generate_content(model=MODEL, contents="the weather?", config=config)
    assert answer.text == "warm"
    gateway.assert_all_scripts_used()


def test_a_chat_of_the_sdk_goes_on(client, gateway):
    gateway.when(last_reply="echo: one").reply("I said one.")
    chat = client.chats.create(model=MODEL)
    assert [chat.send_message(text).text for text in ("one", "two")] == ["echo: one", "I said one."]


def test_the_sdk_reads_tokens_embeddings_and_models(models):
    assert models.count_tokens(model=MODEL, contents="one two three").total_tokens == 3
    embedded = models.embed_content(
        model="gemini-embedding-001", contents=["a", "b"], config={"output_dimensionality": 16}
    )
    assert [len(embedding.values) for embedding in embedded.embeddings] == [16, 16]
    assert "models/gemini-2.5-flash" in [model.name for model in models.list()]
    assert models.get(model=MODEL).input_token_limit == 1_048_576


@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [
        (400, errors.ClientError, "INVALID_ARGUMENT"),
        (429, errors.ClientError, "RESOURCE_EXHAUSTED"),
        (503, errors.ServerError, "UNAVAILABLE"),
    ],
)
def test_the_sdk_raises_googles_errors(models, status, kind, word):
    asked = {"model": f"{MODEL}-always-fail-http{status}", "contents": "x"}
    with pytest.raises(kind) as plain:
        models.generate_content(**asked)
    with pytest.raises(kind) as streamed:
        list(models.generate_content_stream(**asked))
    for caught in (plain, streamed):
        assert (caught.value.code, caught.value.status) == (status, word)


@pytest.mark.parametrize(
    ("further", "kind"),
    [
        ({"error_after": 2}, errors.ServerError),
        ({"malformed_after": 2}, errors.UnknownApiResponseError),
    ],
)
def test_the_sdk_notices_what_is_wrong_in_mid_stream(models, gateway, further, kind):
    gateway.when(text="x").reply("a b c d", **further)
    with pytest.raises(kind):
        list(models.generate_content_stream(model=MODEL, contents="x"))


def test_a_fault_is_hidden_by_the_sdks_own_retries(gateway):
    options = {"base_url": gateway.gemini_base_url,
               "retry_options": {"attempts": 2, "initial_delay": 0.01}}  # fmt: skip
    with genai.Client(api_key="sk-any", http_options=options) as retrying:
        answer = retrying.models.generate_content(model=f"{MODEL}-fail-once", contents="x")
    assert answer.text == "echo: x"
    assert [entry.status for entry in gateway.requests()] == [500, 200]


@pytest.mark.parametrize("message", ["Content", "Part", "FunctionCall", "FunctionResponse", "Blob",
                                     "FileData", "FunctionDeclaration", "ToolConfig"])  # fmt: skip
def test_every_field_that_the_sdk_sends_is_known(message):
    fields = getattr(types, message).model_fields.values()
    known = {field.split(":")[0] for field in MESSAGES[message].split()}
    assert {field.alias for field in fields} <= known


@pytest.mark.parametrize("size", [5, 9 * 1024 * 1024])
def test_the_sdk_uploads_a_file_in_pieces_and_asks_about_it(client, tmp_path, size):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"x" * size)
    file = client.files.upload(file=path, config={"display_name": "notes"})
    assert (file.state, file.size_bytes, file.display_name) == ("ACTIVE", size, "notes")
    answer = client.models.generate_content(model=MODEL, contents=["what is it?", file])
    assert answer.text == "echo: what is it?"
    assert [one.name for one in client.files.list()] == [file.name]
    assert client.files.get(name=file.name).uri == file.uri
    client.files.delete(name=file.name)
    with pytest.raises(errors.ClientError, match="PERMISSION_DENIED"):
        client.files.get(name=file.name)


def test_the_asynchronous_sdk_waits_until_a_film_is_processed(client):
    async def uploaded():
        upload = client.aio.files.upload(
            file=io.BytesIO(b"film"), config={"mime_type": "video/mp4"}
        )
        found = [await upload]
        while found[-1].state == "PROCESSING":
            found.append(await client.aio.files.get(name=found[0].name))
        return [file.state for file in found]

    states = asyncio.run(uploaded())
    assert (states[0], states[-1]) == ("PROCESSING", "ACTIVE")


def test_litellm_reads_answers_streams_and_schemas(lite):
    answer = lite("one two")
    assert (answer.choices[0].message.content, answer.usage.total_tokens) == ("echo: one two", 5)
    chunks = lite("one two", stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "echo: one two"
    parsed = lite(response_format=Parcel).choices[0].message.content
    assert Parcel.model_validate_json(parsed)


def test_litellm_follows_a_loop_of_tools(lite, gateway):
    gateway.when(text="weather", turn=1).reply(tool_calls=BOTH)
    gateway.when(tool_result="21 degrees in Rome", turn=2).reply("warm")
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": parameters}}
    messages = [{"role": "user", "content": "the weather?"}]
    called = lite(messages=messages, tools=[tool]).choices[0].message
    messages.append(called.model_dump())
    for call in called.tool_calls:
        city = json.loads(call.function.arguments)["city"]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": weather(city)})
    assert lite(messages=messages, tools=[tool]).choices[0].message.content == "warm"


def test_litellm_raises_its_errors_and_embeds(lite, gateway):
    with pytest.raises(litellm.RateLimitError):
        lite(model=f"gemini/{MODEL}-always-fail-http429")
    embedded = litellm.embedding(
        model="gemini/gemini-embedding-001", input=["a", "b"], dimensions=16,
        api_base=f"{gateway.gemini_base_url}/v1beta", api_key="sk-any",
    )  # fmt: skip
    assert [len(vector["embedding"]) for vector in embedded.data] == [16, 16]
