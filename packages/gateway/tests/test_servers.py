"""Servers that are compatible with OpenAI; the sources stand in `server_rules.yaml`."""

import json
import subprocess
import sys

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packages.gateway.tests.rig import TOKEN
from starlette.testclient import TestClient

from stackproof_gateway.app import create_app
from stackproof_gateway.options import Options
from stackproof_gateway.server_paths import route_of
from stackproof_gateway.server_requests import adapted
from stackproof_gateway.server_rules import DIALECTS, server_of

HELLO = [{"role": "user", "content": "hello"}]
CHAT = {"model": "m", "messages": HELLO}
LENIENT = ("ollama", "vllm", "openrouter")
OPEN_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "n", "strict": True, "schema": OPEN_SCHEMA},
}
UNANSWERED = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [
    {"function": {"name": "f", "arguments": "{}"}}]}]  # fmt: skip


@pytest.fixture(scope="module")
def apps():
    """A gateway of each dialect."""
    made = {}
    for dialect in DIALECTS:
        app = create_app(Options(dialect=dialect, token=TOKEN))
        made[dialect] = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1))
    return made


@pytest.fixture
def ask(apps):
    def ask(dialect, body, path="/v1/chat/completions", key="Bearer k", **options):
        headers = {"Authorization": key} if key else {}
        method = "GET" if body is None else "POST"
        return apps[dialect].request(method, path, json=body, headers=headers, **options)

    return ask


def events(answer):
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line[6:7] == "{"]


@pytest.mark.parametrize(
    ("fields", "taken_by"),
    [
        ({"tool_choice": "auto"}, {"ollama", "openrouter"}),
        ({"tool_choice": "none"}, {"ollama", "openrouter", "vllm"}),
        ({"tools": []}, {"ollama", "openrouter"}),
        ({"stream_options": {"include_usage": True}}, {"ollama"}),
        ({"max_tokens": 5, "max_completion_tokens": 5}, {"ollama", "openrouter", "vllm"}),
        ({"response_format": {"type": "json_object"}}, {"ollama", "openrouter", "vllm"}),
        ({"response_format": FORMAT}, {"ollama", "openrouter", "vllm"}),
        ({"model": "gpt-5", "max_tokens": 5}, {"ollama", "openrouter", "vllm"}),
        ({"messages": UNANSWERED}, {"ollama", "vllm"}),
        ({"model": None}, {"openrouter", "vllm"}),
        ({"top_k": 40, "provider": {"order": ["x"]}}, {*DIALECTS}),
    ],
)
def test_each_server_takes_what_it_is_known_to_take(ask, fields, taken_by):
    statuses = {
        dialect: ask(dialect, {**CHAT, **fields}, path=PATHS.get(dialect, PATHS[""])).status_code
        for dialect in DIALECTS
    }
    assert {dialect for dialect, status in statuses.items() if status == 200} == taken_by
    assert set(statuses.values()) <= {200, 400}


PATHS = {"": "/v1/chat/completions", "azure": "/openai/v1/chat/completions"}


@pytest.mark.parametrize(
    ("dialect", "status", "body"),
    [
        ("openai", 401, None),
        ("azure", 401, {"error": {"code": "401", "message": "Access denied due to invalid "
         "subscription key or wrong API endpoint. Make sure to provide a valid key for an active "
         "subscription and use a correct regional API endpoint for your resource."}}),
        ("openrouter", 401, {"error": {"message": "No auth credentials found", "code": 401}}),
        ("ollama", 200, None),
        ("vllm", 200, None),
    ],
)  # fmt: skip
def test_a_request_without_a_key_gets_what_the_server_gives(ask, dialect, status, body):
    answer = ask(dialect, CHAT, path=PATHS.get(dialect, PATHS[""]), key="")
    assert answer.status_code == status
    assert body is None or answer.json() == body


def test_errors_have_the_form_of_the_server(ask):
    shown = {
        dialect: ask(dialect, {**CHAT, "messages": []}, path=PATHS.get(dialect, PATHS[""])).json()
        for dialect in DIALECTS
    }
    text = shown["openai"]["error"]["message"]
    assert shown == {
        "openai": {"error": {"message": text, "type": "invalid_request_error",
                             "param": "messages", "code": "empty_array"}},
        "azure": shown["openai"],
        "ollama": {"error": {"message": text, "type": "invalid_request_error",
                             "param": "messages", "code": "empty_array"}},
        "vllm": {"error": {"message": text, "type": "BadRequestError", "param": "messages",
                           "code": 400}},
        "openrouter": {"error": {"message": text, "code": 400}},
    }  # fmt: skip


def test_models_are_listed_in_the_form_of_the_server(ask):
    listed = {dialect: ask(dialect, None, "/v1/models").json() for dialect in LENIENT}
    ollama, vllm, router = (listed[name]["data"][0] for name in LENIENT)
    assert ollama == {"id": "llama3.2:latest", "object": "model", "created": 1750000000,
                      "owned_by": "library"}  # fmt: skip
    assert (vllm["root"], vllm["max_model_len"], vllm["owned_by"]) == (vllm["id"], 32768, "vllm")
    assert vllm["permission"][0]["object"] == "model_permission"
    assert list(listed["openrouter"]) == ["data"]
    assert router["canonical_slug"] == router["id"] == "openai/gpt-4o-mini"
    azure = ask("azure", None, "/openai/models", params={"api-version": "2024-10-21"}).json()
    assert azure["data"][0]["status"] == "succeeded"
    assert ask("vllm", None, "/v1/models/any/model").json()["root"] == "any/model"


def test_answers_have_what_clients_of_the_server_meet(ask):
    ollama, vllm, router = (ask(name, CHAT).json() for name in LENIENT)
    assert ollama["system_fingerprint"] == "fp_ollama"
    assert set(ollama["usage"]) == {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert set(ollama["choices"][0]["message"]) == {"role", "content"}
    assert vllm["choices"][0]["message"]["tool_calls"] == []
    assert vllm["choices"][0]["stop_reason"] is vllm["kv_transfer_params"] is None
    assert router["provider"] == "stackproof"
    assert router["choices"][0]["native_finish_reason"] == "stop"
    assert router["usage"]["cost"] == 0


def test_events_of_a_stream_have_it_too(ask):
    streamed = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    shown = {name: events(ask(name, streamed, PATHS.get(name, PATHS[""]))) for name in DIALECTS}
    assert shown["azure"][0]["choices"] == []
    assert shown["azure"][0]["prompt_filter_results"][0]["prompt_index"] == 0
    assert shown["azure"][1]["choices"][0]["content_filter_results"]["hate"]["severity"] == "safe"
    assert shown["openrouter"][-2]["choices"][0]["native_finish_reason"] == "stop"
    assert shown["openrouter"][-1]["usage"]["cost"] == 0
    assert {value["system_fingerprint"] for value in shown["ollama"]} == {"fp_ollama"}
    assert "provider" not in shown["openai"][0]


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({"guided_choice": ["red", "green"]}, "red"),
        ({"structured_outputs": {"choice": ["green"]}}, "green"),
        ({"guided_regex": "[a]{3}"}, "aaa"),
        ({"guided_json": json.dumps(OPEN_SCHEMA)}, '{"city": "city"}'),
        ({"structured_outputs": {"json": {"type": "integer"}}}, "0"),
    ],
)
def test_guided_answers_of_vllm_fit_what_guides_them(ask, fields, content):
    assert ask("vllm", {**CHAT, **fields}).json()["choices"][0]["message"]["content"] == content
    assert ask("openai", {**CHAT, **fields}).json()["choices"][0]["message"]["content"] != content


@pytest.mark.parametrize(
    "fields", [{"guided_json": "{"}, {"guided_choice": []}, {"guided_regex": 5},
               {"guided_json": {}, "guided_choice": ["a"]}]
)  # fmt: skip
def test_guides_that_can_not_be_honoured_are_refused(ask, fields):
    assert ask("vllm", {**CHAT, **fields}).status_code == 400


def test_the_model_is_the_first_of_the_fallbacks_or_that_of_the_deployment(ask):
    routed = {"messages": HELLO, "models": ["anthropic/claude", "openai/gpt-4o"]}
    assert ask("openrouter", routed).json()["model"] == "anthropic/claude"
    assert ask("openrouter", {"messages": HELLO}).json()["model"] == "openrouter/auto"
    path = "/openai/deployments/ours/chat/completions"
    answer = ask("azure", {**CHAT, "model": "ignored"}, path, params={"api-version": "2024-10-21"})
    assert answer.json()["model"] == "ours"


def test_openrouter_is_reached_by_its_own_path_too(ask):
    assert ask("openrouter", CHAT, "/api/v1/chat/completions").status_code == 200
    assert ask("openai", CHAT, "/api/v1/chat/completions").status_code == 404


def test_the_journal_knows_extra_fields_of_the_server(apps, ask):
    apps["vllm"].post("/_gateway/t/default/reset", headers={"X-Gateway-Token": TOKEN})
    ask("vllm", {**CHAT, "stop_token_ids": [2], "wrong": 1})
    journal = apps["vllm"].get("/_gateway/t/default/journal", headers={"X-Gateway-Token": TOKEN})
    (entry,) = journal.json()["entries"]
    assert entry["unknown_fields"] == ["wrong"]


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("/openai/deployments/d/embeddings", "api-version=1", ("/v1/embeddings", "d", False)),
        ("/t/n/f/cut/openai/deployments/d.e/chat/completions", "api-version=1",
         ("/t/n/f/cut/v1/chat/completions", "d.e", False)),
        ("/openai/files/f/content", "api-version=1", ("/v1/files/f/content", None, False)),
        ("/openai/v1/responses", "", ("/v1/responses", None, False)),
        ("/openai/files", "", ("/v1/files", None, True)),
        ("/openai/v1/deployments/d/embeddings", "", ("/v1/embeddings", "d", True)),
        ("/v1/chat/completions", "api-version=1", ("/v1/chat/completions", None, True)),
        ("/v1/messages", "", ("/v1/messages", None, False)),
        ("/_gateway/journal", "", ("/_gateway/journal", None, False)),
    ],
)  # fmt: skip
def test_paths_of_azure_are_those_of_its_client(path, query, found):
    route = route_of(path, query, server_of("azure"))
    assert (route.path, route.deployment, route.elsewhere) == found


@given(st.text(), st.text(), st.sampled_from(DIALECTS))
def test_any_path_goes_somewhere_and_only_azure_and_openrouter_change_it(path, query, dialect):
    route = route_of(path, query, server_of(dialect))
    assert route.path == path or dialect in {"azure", "openrouter"}


@given(
    st.dictionaries(st.sampled_from(["model", "models", "tools", "tool_choice", "stream", "x"]),
                    st.none() | st.text() | st.lists(st.text()) | st.booleans()),
    st.sampled_from(DIALECTS),
)  # fmt: skip
def test_what_is_ignored_stays_ignored_and_the_request_is_not_changed(body, dialect):
    before, server = dict(body), server_of(dialect)
    made = adapted(body, server)
    assert body == before
    assert adapted(made, server) == made


@pytest.fixture(scope="module")
def azure(serve):
    with serve(dialect="azure") as url:
        yield url


@pytest.mark.parametrize("deployment", [None, "ours"])
def test_the_azure_client_of_openai_works_unchanged(azure, deployment):
    with openai.AzureOpenAI(
        azure_endpoint=f"{azure}/t/client", api_key="key", api_version="2024-10-21",
        azure_deployment=deployment,
    ) as client:  # fmt: skip
        said = client.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert said.model == (deployment or "gpt-4o")
        assert said.choices[0].model_extra["content_filter_results"]["hate"]["filtered"] is False
        chunks = list(client.chat.completions.create(model="m", messages=HELLO, stream=True))
        assert [len(chunk.choices) for chunk in chunks[:2]] == [0, 1]
        assert (
            len(client.embeddings.create(model="e", input="x", dimensions=8).data[0].embedding) == 8
        )
        if deployment is None:
            assert client.responses.create(model="m", input="hi").output_text == "echo: hi"
            stored = client.files.create(file=b"x", purpose="assistants")
            assert client.files.content(stored.id).read() == b"x"


def test_the_azure_client_reads_errors_and_faults(azure):
    with openai.AzureOpenAI(
        azure_endpoint=f"{azure}/t/errors", azure_ad_token="t", api_version="2024-10-21",
        max_retries=0,
    ) as client:  # fmt: skip
        with pytest.raises(openai.BadRequestError, match="empty array"):
            client.chat.completions.create(model="m", messages=[])
        with pytest.raises(openai.RateLimitError) as limited:
            client.chat.completions.create(model="m-always-fail-http429", messages=HELLO)
        assert limited.value.code == "429"
    headers = {"api-key": "k", "X-Gateway-Token": TOKEN}
    lacking = httpx.post(
        f"{azure}/t/errors/openai/deployments/d/completions", headers=headers, json={}
    )
    assert (lacking.status_code, lacking.json()["error"]["message"]) == (404, "Resource not found")
    journal = httpx.get(f"{azure}/_gateway/t/errors/journal", headers=headers).json()["entries"]
    assert [(entry["path"], entry["status"]) for entry in journal] == [
        ("/v1/chat/completions", 400), ("/v1/chat/completions", 429), ("/v1/completions", 404),
    ]  # fmt: skip


def test_a_client_of_v1_of_azure_works_with_the_plain_client(azure):
    with openai.OpenAI(base_url=f"{azure}/openai/v1/", api_key="k") as client:
        assert client.chat.completions.create(model="d", messages=HELLO).model == "d"


@pytest.mark.parametrize("wrong", [["--dialect", "olama"], []])
def test_an_unknown_dialect_is_an_error_at_the_start(wrong):
    environment = {} if wrong else {"GATEWAY_DIALECT": "Azure"}
    done = subprocess.run(
        [sys.executable, "-m", "stackproof_gateway", *wrong],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "invalid choice" in done.stderr
    assert "openai, azure, ollama, openrouter, vllm" in done.stderr.replace("'", "")


def test_azure_is_for_fake_answers_alone():
    done = subprocess.run(
        [sys.executable, "-m", "stackproof_gateway", "--dialect", "azure", "--llm", "replay"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("--dialect: azure can't be combined with --llm replay")
