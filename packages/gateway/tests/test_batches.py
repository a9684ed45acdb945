"""Batches: the gateway answers the requests of a file, as any other call."""

import json

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof_gateway.batch_lines import errors_of
from stackproof_gateway.contents import Contents

CHAT = "/v1/chat/completions"


def line(name="a", text="hello", url=CHAT, **fields):
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
    return {"custom_id": name, "method": "POST", "url": url, "body": body}


def begin(client, *lines, endpoint=CHAT, **fields):
    data = b"\n".join(
        item if isinstance(item, bytes) else json.dumps(item).encode() for item in lines
    )
    file = client.files.create(file=("in.jsonl", data), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", **fields
    )


def finished(client, batch):
    states = []
    while batch.status not in {"completed", "failed", "cancelled", "expired"}:
        batch = client.batches.retrieve(batch.id)
        states.append(batch.status)
        assert len(states) < 9, states
    return batch


def rows(client, identity):
    text = client.files.content(identity).text if identity else ""
    return [json.loads(row) for row in text.splitlines()]


def test_a_batch_goes_through_its_states_and_ends_with_the_answers(client):
    batch = begin(client, line("a", "one"), line("b", "two"), metadata={"k": "v"})
    assert (batch.status, batch.request_counts.total) == ("validating", 0)
    states = [client.batches.retrieve(batch.id).status for _ in range(3)]
    assert states == ["in_progress", "finalizing", "completed"]
    batch = client.batches.retrieve(batch.id)
    assert batch.created_at < batch.in_progress_at < batch.finalizing_at < batch.completed_at
    assert (batch.request_counts.total, batch.request_counts.completed) == (2, 2)
    assert (batch.model, batch.metadata, batch.error_file_id) == ("m", {"k": "v"}, None)
    assert (batch.usage.input_tokens, batch.usage.output_tokens, batch.usage.total_tokens) == (
        2, 4, 6)  # fmt: skip
    found = rows(client, batch.output_file_id)
    assert [row["custom_id"] for row in found] == ["a", "b"]
    assert found[0]["response"]["status_code"] == 200
    assert found[0]["response"]["request_id"].startswith("req_")
    assert [row["error"] for row in found] == [None, None]
    said = [row["response"]["body"]["choices"][0]["message"]["content"] for row in found]
    assert said == ["echo: one", "echo: two"]
    assert client.files.retrieve(batch.output_file_id).purpose == "batch_output"


def test_its_requests_are_calls_with_scripts_faults_and_a_journal(gateway, client):
    gateway.when(text="two").reply("scripted")
    batch = begin(client, line("a", "one", model="m-fail-once-x"),
                  line("b", "two", model="m-fail-once-x"))  # fmt: skip
    batch = finished(client, batch)
    (good,) = rows(client, batch.output_file_id)
    assert good["response"]["body"]["choices"][0]["message"]["content"] == "scripted"
    (bad,) = rows(client, batch.error_file_id)
    assert (bad["custom_id"], bad["response"]["status_code"], bad["error"]) == ("a", 500, None)
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 1)
    calls = gateway.requests(path=CHAT)
    assert [(entry.status, entry.script) for entry in calls] == [(500, ""), (200, "script-1")]
    assert calls[0].fault.kind == "fail-once"
    assert calls[1].usage["total_tokens"]


def test_a_request_that_its_endpoint_refuses_goes_to_the_error_file(client):
    batch = finished(client, begin(client, line("a", temperature=9)))
    assert (batch.status, batch.output_file_id) == ("completed", None)
    (row,) = rows(client, batch.error_file_id)
    assert row["response"]["body"]["error"]["param"] == "temperature"


def test_an_answer_whose_connection_breaks_has_no_response(client):
    batch = finished(client, begin(client, line("a", model="m-cut-x")))
    (row,) = rows(client, batch.error_file_id)
    assert (row["response"], row["error"]["code"]) == (None, "request_timeout")


@pytest.mark.parametrize(
    ("endpoint", "body", "kind"),
    [
        ("/v1/embeddings", {"model": "m", "input": "x"}, "list"),
        ("/v1/responses", {"model": "m", "input": "x"}, "response"),
        ("/v1/completions", {"model": "m", "prompt": "x"}, "text_completion"),
        ("/v1/moderations", {"input": "x"}, None),
    ],
)
def test_each_endpoint_that_the_provider_takes_is_taken(client, endpoint, body, kind):
    request = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body}
    batch = finished(client, begin(client, request, endpoint=endpoint))
    (row,) = rows(client, batch.output_file_id)
    assert row["response"]["body"].get("object") == kind


@pytest.mark.parametrize(
    ("lines", "code", "at", "param"),
    [
        ([line(), b"{"], "invalid_json_line", 2, None),
        ([line(), b"", b"[]"], "invalid_json_line", 3, None),
        ([line("a"), line("a")], "duplicate_custom_id", 2, "custom_id"),
        ([line(url="/v1/embeddings")], "url_mismatch", 1, "url"),
        ([line("a"), line("b", model="n")], "model_mismatch", 2, "body.model"),
        ([{**line(), "method": "GET"}], "invalid_method", 1, "method"),
        ([{**line(), "body": None}], "missing_required_parameter", 1, "body"),
        ([{**line(), "custom_id": 7}], "invalid_type", 1, "custom_id"),
        ([line(stream=True)], "invalid_value", 1, "body.stream"),
        ([b"\n"], "empty_file", None, None),
    ],
)
def test_a_file_with_a_bad_line_fails_the_batch_with_the_line(
    gateway, client, lines, code, at, param
):
    batch = finished(client, begin(client, *lines))
    assert (batch.status, batch.output_file_id) == ("failed", None)
    (error,) = batch.errors.data
    assert (error.code, error.line, error.param) == (code, at, param)
    assert gateway.requests(path=CHAT) == []


def test_a_batch_is_in_progress_while_a_script_holds_a_request(gateway, client):
    gateway.when(text="two").reply("now", hold="the-test")
    batch = begin(client, line("a", "one"), line("b", "two"))
    for _ in range(3):
        batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed) == ("in_progress", 1)
    gateway.release("the-test")
    assert finished(client, batch).request_counts.completed == 2


def test_a_cancelled_batch_keeps_what_was_answered_before(gateway, client):
    gateway.when(text="two").reply("never", hold="the-test")
    batch = begin(client, line("a", "one"), line("b", "two"), line("c", "three"))
    batch = client.batches.cancel(batch.id)
    assert (batch.status, batch.cancelling_at is None) == ("cancelling", False)
    batch = finished(client, batch)
    assert batch.status == "cancelled"
    assert [row["custom_id"] for row in rows(client, batch.output_file_id)] == ["a"]
    left = [(row["custom_id"], row["error"]["code"]) for row in rows(client, batch.error_file_id)]
    assert left == [("b", "batch_cancelled"), ("c", "batch_cancelled")]
    with pytest.raises(openai.ConflictError, match="status 'cancelled'"):
        client.batches.cancel(batch.id)


def test_a_batch_that_takes_longer_than_its_window_expires(gateway, client):
    gateway.when(text="two").reply("never", hold="the-test")
    batch = begin(client, line("a", "one"), line("b", "two"))
    client.batches.retrieve(batch.id)
    gateway.advance_clock(24 * 3600)
    batch = finished(client, batch)
    assert batch.status == "expired"
    assert [row["error"]["code"] for row in rows(client, batch.error_file_id)] == ["batch_expired"]
    assert len(rows(client, batch.output_file_id)) == 1


def test_batches_are_listed_newest_first(client):
    ids = [begin(client, line()).id for _ in range(3)]
    assert [batch.id for batch in client.batches.list(limit=2)] == ids[::-1]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"endpoint": "/v1/audio/speech"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": None}, "input_file_id"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}},
         "output_expires_after.seconds"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)  # fmt: skip
def test_a_batch_that_the_provider_refuses_is_refused(client, fields, param):
    file = client.files.create(file=("in.jsonl", json.dumps(line())), purpose="batch")
    given = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h", **fields}
    with pytest.raises(openai.BadRequestError) as caught:
        client.batches.create(**given)
    assert caught.value.param == param


def test_the_input_is_a_file_for_batches(client):
    with pytest.raises(openai.BadRequestError, match="Must be"):
        client.files.create(file=("in.txt", b"x"), purpose="batch")
    other = client.files.create(file=("in.jsonl", b"x"), purpose="user_data")
    with pytest.raises(openai.BadRequestError, match="has the purpose 'user_data'"):
        client.batches.create(input_file_id=other.id, endpoint=CHAT, completion_window="24h")
    with pytest.raises(openai.NotFoundError):
        client.batches.create(input_file_id="file-9", endpoint=CHAT, completion_window="24h")
    file = client.files.create(file=("in.jsonl", b"x"), purpose="batch")
    assert file.expires_at == file.created_at + 30 * 24 * 3600


VALUES = st.none() | st.integers() | st.text(max_size=3) | st.just("POST") | st.just(CHAT)
LINES = st.dictionaries(
    st.sampled_from(["custom_id", "method", "url", "body", "x"]),
    VALUES | st.dictionaries(st.sampled_from(["model", "stream"]), VALUES, max_size=2),
)


@given(st.lists(LINES.map(json.dumps) | st.text(max_size=9), max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_file_is_read_or_has_errors_with_lines_of_it(texts):
    data = "\n".join(texts).encode("utf-8", "surrogatepass")
    for error in errors_of(Contents.of(data), CHAT):
        assert error["message"]
        assert error["line"] is None or data.split(b"\n")[error["line"] - 1].strip()
