"""Faults, namespaces, the journal, and requests that are not what they should be."""

import json
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packages.gateway.tests.rig import TOKEN, connections

from stackproof.reaper.port_claims import claim
from stackproof.waiting import wait_until
from stackproof_gateway.client import GatewayClient

HELLO = [{"role": "user", "content": "hello"}]
RELAXED = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def ask(client, model, **fields):
    return client.chat.completions.create(model=model, messages=HELLO, **fields)


@pytest.mark.parametrize("model", ["a-fail-once-x", "fail-once", "a-fail-1-b", "x-fail-once"])
def test_fail_once_reaches_the_application_through_the_clients_own_retries(gateway, client, model):
    with pytest.raises(openai.InternalServerError, match=model):
        ask(client, model)
    assert ask(client, model).choices
    assert [entry.status for entry in gateway.requests(model)] == [500, 200]
    gateway.assert_fault_reached_app(model)


def test_always_fail_fails_each_time(gateway, client):
    for _ in range(3):
        with pytest.raises(openai.InternalServerError):
            ask(client, "x-always-fail-y")
    assert len(gateway.faults()) == 3


def test_fail_n_fails_as_often(client):
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            ask(client, "x-fail-2-y")
    assert ask(client, "x-fail-2-y").choices


def test_a_status_can_be_asked_for(client):
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, "x-http429-y")
    assert caught.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("model", ["m", "failure-once", "prefail-once", "always-failing", "fail-x"])
def test_every_other_name_succeeds(client, model):
    assert ask(client, model).choices


def test_each_model_counts_its_own_failures(client):
    for model in ("a-fail-once", "b-fail-once"):
        with pytest.raises(openai.InternalServerError):
            ask(client, model)


def test_embeddings_fail_by_name_as_well(client):
    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(model="e-fail-once", input="x")


def test_a_fault_that_the_client_swallowed_is_told_apart(gateway):
    headers = {"authorization": "Bearer x"}
    url, body = f"{gateway.openai_base_url}/chat/completions", {"model": "fail-once",
                                                              "messages": HELLO}  # fmt: skip
    httpx.post(url, json=body, headers=headers)
    httpx.post(url, json=body, headers={**headers, "x-stainless-retry-count": "1"})
    assert gateway.faults()[0].fault.reached_app == "absorbed"
    with pytest.raises(AssertionError, match="absorbed by the client; the journal of"):
        gateway.assert_fault_reached_app()


def test_asserting_a_fault_where_there_was_none_fails_with_the_journal(gateway, client):
    ask(client, "m")
    with pytest.raises(AssertionError, match=r"there was no fault(.|\n)*chat/completions m 200"):
        gateway.assert_fault_reached_app()


@pytest.mark.parametrize(
    ("key", "model"),
    [("sk-e2e-parallel-{}", "m-fail-once-x"), ("sk-shared", "m-fail-once-q{}")],
    ids=["by their keys", "by the model's name, which goes through a queue"],
)
def test_fifty_tests_at_once_each_see_exactly_their_own_failure(server, key, model):
    def outcomes_of(number):
        outcomes = []
        client = openai.OpenAI(
            base_url=f"{server}/v1", api_key=key.format(number), http_client=connections()
        )
        for _ in range(3):
            try:
                ask(client, model.format(number))
                outcomes.append("ok")
            except openai.InternalServerError:
                outcomes.append("failed")
        return outcomes

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(outcomes_of, range(50))) == [["failed", "ok", "ok"]] * 50


@pytest.mark.parametrize(
    ("path", "headers", "namespace"),
    [
        ("/t/by-path/v1/models", {"authorization": "Bearer sk-e2e-by-key"}, "by-path"),
        ("/v1/models", {"authorization": "Bearer sk-e2e-by-key"}, "by-key"),
        ("/v1/models", {"x-api-key": "sk-e2e-by-other"}, "by-other"),
        ("/v1/models", {"authorization": "Bearer x", "x-test-id": "by-header"}, "by-header"),
        ("/v1/models", {"authorization": "Bearer x"}, "default"),
    ],
)
def test_a_namespace_comes_from_path_key_or_header_in_this_order(
    server, gateway, path, headers, namespace
):
    with_fresh = GatewayClient(server, namespace, TOKEN)
    before = len(with_fresh.requests())
    assert httpx.get(server + path, headers=headers).status_code == 200
    assert len(with_fresh.requests()) == before + 1
    assert with_fresh.requests()[-1].path == "/v1/models"
    assert namespace in gateway.namespaces()
    with_fresh.close()


def test_a_reset_forgets_failures_and_journal(gateway, client):
    with pytest.raises(openai.InternalServerError):
        ask(client, "fail-once")
    gateway.reset()
    assert gateway.requests() == []
    with pytest.raises(openai.InternalServerError):
        ask(client, "fail-once")


def test_the_journal_holds_the_request_but_never_a_key(gateway, client):
    ask(client, "m")
    (entry,) = gateway.requests()
    assert entry.request["messages"] == HELLO
    assert (entry.reply, entry.usage["total_tokens"]) == ("echo: hello", 3)
    assert "sk-any" not in json.dumps(
        httpx.get(f"{gateway.base_url}/k/{TOKEN}/_gateway/journal").json()
    )


def test_a_client_that_leaves_in_mid_stream_is_noted_and_harms_nobody(gateway, client):
    body = json.dumps({"model": "m", "stream": True,
                       "messages": [{"role": "user", "content": "word " * 200_000}]})  # fmt: skip
    host, port = gateway.base_url.removeprefix("http://").split(":")
    lines = [
        f"POST /t/{gateway.namespace}/v1/chat/completions HTTP/1.1",
        "Host: localhost",
        "Authorization: Bearer x",
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    with socket.create_connection((host, int(port))) as link:
        link.sendall("\r\n".join(lines).encode())
        assert link.recv(10)
    wait_until(lambda: gateway.requests()[0].client_closed, timeout=20, what="it is noticed")
    assert ask(client, "m").choices


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nope", 404), ("PUT", "/v1/chat/completions", 405), ("POST", "/v1/models", 405)],
)
def test_unknown_paths_and_methods_get_the_providers_envelope(server, method, path, status):
    answer = httpx.request(method, server + path, headers={"authorization": "Bearer x"})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below,
                                                                max_size=3),
    max_leaves=10,
)  # fmt: skip
FIELDS = [
    "model",
    "messages",
    "temperature",
    "n",
    "tools",
    "tool_choice",
    "stop",
    "stream",
    "input",
    "max_tokens",
    "response_format",
    "stream_options",
    "dimensions",
    "encoding_format",
]


@RELAXED
@given(st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=5), st.booleans())
def test_any_json_gets_an_answer_or_the_providers_error(http, server, fields, plausible):
    base = {"model": "m", "messages": HELLO, "input": "x"} if plausible else {}
    for path in ("/v1/chat/completions", "/v1/embeddings"):
        answer = http.post(server + path, content=json.dumps({**base, **fields}).encode(),
                            headers={"authorization": "Bearer x"})  # fmt: skip
        assert answer.status_code in {200, 400}
        if answer.status_code == 400:
            assert answer.json()["error"]["message"]


@RELAXED
@given(st.binary(max_size=200))
def test_any_bytes_get_the_providers_error(http, server, data):
    answer = http.post(
        f"{server}/v1/chat/completions", content=data, headers={"authorization": "Bearer x"}
    )
    assert answer.status_code == 400


def test_started_alone_it_serves_and_ends_at_once_when_told_to():
    held = []
    (port,) = claim(1, held)
    process = subprocess.Popen(
        [sys.executable, "-m", "stackproof_gateway", "--port", str(port)], stdout=subprocess.PIPE
    )
    try:

        def answers():
            return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200

        wait_until(answers, timeout=20, what="it serves", retry_on=(httpx.HTTPError,))
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
        held[0].close()
    assert b"serving an OpenAI-compatible API" in output
    assert process.returncode in {0, -signal.SIGTERM, 128 + signal.SIGTERM}


def test_the_journal_tells_the_calls_since_a_moment(gateway, client):
    for _ in range(3):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    first, *later = gateway.requests()
    assert gateway.requests(since=first.monotonic) == later
    assert gateway.requests("m", since=later[0].monotonic) == later[1:]
    assert gateway.requests("other") == []
    with pytest.raises(ValueError, match="expected monotonic seconds"):
        gateway._ask("journal", {"since": "yesterday"})
