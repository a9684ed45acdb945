"""The official client: 3, which CI's other tests use as well, 2 and 1."""

import json

import openai
import pytest
from tests.gateway_clients.frameworks.conversations import Environment

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.openai_base_url, api_key="sk-any", timeout=30) as made:
        yield made


def ask(client, model="m", **fields):
    return client.chat.completions.create(model=model, messages=HELLO, **fields)


def test_every_endpoint_answers(client):
    assert ask(client).choices[0].message.content == "echo: hello"
    assert list(ask(client, stream=True))[-1].choices[0].finish_reason == "stop"
    assert client.responses.create(model="m", input="hello").output_text == "echo: hello"
    assert list(client.responses.create(model="m", input="x", stream=True))
    assert client.completions.create(model="m", prompt="x").choices
    assert len(client.embeddings.create(model="e", input="x").data[0].embedding) == 1536
    assert list(client.models.list())
    assert client.moderations.create(input="x").results


def test_files_and_stores_answer(client):
    file = client.files.create(file=("a.txt", b"about databases"), purpose="assistants")
    store = client.vector_stores.create(file_ids=[file.id])
    assert client.vector_stores.search(store.id, query="database").data[0].file_id == file.id


def test_the_table_of_failures(gateway, client):
    assert ask(client, "m-fail-once-attempt-a").choices
    with pytest.raises(openai.InternalServerError):
        ask(client, "m-fail-once-b")
    with pytest.raises(openai.BadRequestError):
        ask(client, "m-http400-c")
    with pytest.raises(openai.InternalServerError):
        ask(client, "m-always-fail-attempt-d")
    tries = [len(gateway.requests(f"m-{name}")) for name in (
        "fail-once-attempt-a", "fail-once-b", "http400-c", "always-fail-attempt-d")]  # fmt: skip
    assert tries == [2, 1, 1, 3]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"cut_after": 3}, Exception),
        ({"error_after": 3}, openai.APIError),
        ({"malformed_after": 2}, json.JSONDecodeError),
    ],
)
def test_a_broken_stream_is_an_error(gateway, client, fields, error):
    gateway.when().reply("one two three", **fields)
    with pytest.raises(error):
        list(ask(client, stream=True))


def test_a_clean_end_without_a_reason_passes_in_silence(client):
    assert {one.choices[0].finish_reason for one in ask(client, "m-eof-x", stream=True)} == {None}


class TestEnvironment(Environment):
    variables = "OPENAI_BASE_URL OPENAI_API_KEY"

    def answer(self, text):
        with openai.OpenAI() as client:
            return ask(client).choices[0].message.content
