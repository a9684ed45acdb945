"""Whatever comes in, the gateway answers or refuses: no status 500, no dead worker.

Few examples by default; STACKPROOF_FUZZ=100000 tries as many of each kind.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packages.gateway.tests.bare_app import App

from stackproof_gateway import chat_requests

EXAMPLES = int(os.environ.get("STACKPROOF_FUZZ", "150"))
MANY = settings(deadline=None, max_examples=EXAMPLES, database=None)
HELLO = [{"role": "user", "content": "hello"}]
KEY = {"authorization": "Bearer sk-any"}

TEXT = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    ["", "user", "tool", "function", "message", "json", "\ud800", "sk-e2e-x", "m-fail-once-x",
     "auto", "required", "object", "array", "string", "$ref", "#", "file-00000001", "static",
     "and", "eq"]
)  # fmt: skip
KEYS = TEXT | st.sampled_from(
    ["role", "content", "type", "text", "name", "function", "parameters", "schema", "properties",
     "required", "items", "anyOf", "pattern", "enum", "minItems", "format", "json_schema", "strict",
     "tool_calls", "id", "input", "output", "call_id", "key", "value", "filters", "file_id"]
)  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**400, -1, 0, 2**63]) | TEXT,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4),
    max_leaves=12,
)  # fmt: skip
FIELDS = (
    "model messages temperature top_p n tools tool_choice stop stream input max_tokens text "
    "response_format stream_options dimensions encoding_format prompt system instructions "
    "previous_response_id stop_sequences query filters max_num_results ranking_options name "
    "metadata file_ids files attributes chunking_strategy purpose thinking output_config "
    "max_output_tokens max_completion_tokens logprobs top_logprobs user seed store "
    "functions function_call voice speed stream_format size quality background output_format "
    "partial_images endpoint input_file_id completion_window bytes filename mime_type expires_after"
).split()
GOOD = {
    "model": "m",
    "messages": HELLO,
    "input": "x",
    "prompt": "x",
    "max_tokens": 50,
    "query": "x",
    "voice": "x",
    "endpoint": "/v1/embeddings",
    "completion_window": "24h",
    "bytes": 5,
    "filename": "x",
    "mime_type": "x",
    "purpose": "user_data",
}
PATHS = (
    "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/messages",
    "/v1/messages/count_tokens", "/v1/moderations", "/v1/vector_stores",
    "/v1/vector_stores/vs_00000001", "/v1/vector_stores/vs_00000001/search",
    "/v1/vector_stores/vs_00000001/files", "/v1/vector_stores/vs_00000001/file_batches",
    "/v1/files", "/v1/uploads", "/v1/batches", "/v1/audio/speech", "/v1/images/generations",
    "/v1/chat/completions/chatcmpl-00000001",
)  # fmt: skip
FORMS = ("/v1/files", "/v1/audio/transcriptions", "/v1/audio/translations", "/v1/images/edits",
         "/v1/images/variations", "/v1/uploads/upload_00000001/parts")  # fmt: skip
CONTROL = ("scripts", "faults", "signals", "releases", "clock", "budget")


@pytest.fixture(scope="module")
def app():
    made = App()
    yield made
    made.runner.close()


def check(status, answer, kinds=(200, 400, 401, 404, 405, 413)):
    assert status in kinds, answer
    if status >= 400:
        assert json.loads(answer)["error"]


@MANY
@given(st.sampled_from(PATHS), st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=5),
       st.booleans(), st.booleans())  # fmt: skip
def test_any_object_is_answered_or_refused(app, path, fields, plausible, anthropic):
    body = {**(GOOD if plausible else {}), **fields}
    if isinstance(body.get("model"), str) and "fail" in body["model"]:
        body["model"] = "m"
    headers = {"anthropic-version": "2023-06-01"} if anthropic else {}
    check(*app.post(path, json.dumps(body).encode(), headers))


@MANY
@given(st.sampled_from(PATHS), ANY)
def test_any_value_is_answered_or_refused(app, path, value):
    check(*app.post(path, json.dumps(value).encode()))


@MANY
@given(st.sampled_from(PATHS), st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(app, path, data):
    check(*app.post(path, data))


@MANY
@given(st.sampled_from(CONTROL), ANY)
def test_any_value_for_the_control_api_is_taken_or_refused(app, what, value):
    path = f"/_gateway/t/fuzzed/{what}"
    check(*app.post(path, json.dumps(value).encode()))


@MANY
@given(st.sampled_from(FORMS), st.binary(max_size=300), st.sampled_from(["x", "", '"x', "x" * 90]))
def test_any_upload_is_taken_or_refused(app, path, data, boundary):
    kind = {"content-type": f"multipart/form-data; boundary={boundary}"}
    check(*app.post(path, b"--" + boundary.encode() + b"\r\n" + data, kind))


PARTS = st.sampled_from(
    ["file", "image", "image[]", "data", "model", "prompt", "purpose", "response_format", "n",
     "size", "stream", "timestamp_granularities[]", "expires_after[seconds]", "language"]
)  # fmt: skip
SAFE = TEXT.filter(lambda text: "fail" not in text)
VALUES = st.sampled_from(["", "1", "true", "batch", "verbose_json", "srt", "1024x1024", "word"])


@MANY
@given(
    st.sampled_from(FORMS),
    st.lists(st.tuples(PARTS, VALUES | SAFE, st.none() | st.sampled_from(["a.wav", "x", "é.png"]))),
)
def test_any_form_is_taken_or_refused(app, path, parts):
    data = b""
    for name, value, filename in parts:
        named = f'; filename="{filename}"' if filename else ""
        data += f'--b\r\ncontent-disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        data += value.encode("utf-8", "surrogatepass") + b"\r\n"
    kind = {"content-type": "multipart/form-data; boundary=b"}
    check(*app.post(path, data + b"--b--\r\n", kind))


@MANY
@given(ANY)
def test_any_schema_is_answered_or_refused(app, schema):
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = {"model": "m", "messages": HELLO, "response_format": form}
    check(*app.post("/v1/chat/completions", json.dumps(body).encode()))


NESTED = ("[{}]", '{{"a":{}}}', '{{"type":"object","properties":{{"a":{}}}}}', '{{"anyOf":[{}]}}')
PLACES = (
    "{}",
    '{{"model":"m","input":{0},"messages":{0},"prompt":{0},"query":{0},"filters":{0},"system":{0}}}',
    '{{"model":"m","max_tokens":5,"input":"x","messages":[{{"role":"user","content":{}}}]}}',
    (
        '{{"model":"m","max_tokens":5,"messages":[{{"role":"user","content":"x"}}],"input":"x","tools":'
        '[{{"type":"function","name":"f","input_schema":{0},"parameters":{0},"strict":true,'
        '"function":{{"name":"f","parameters":{0}}}}}]}}'
    ),
    (
        '{{"model":"m","messages":[{{"role":"user","content":"x"}}],"response_format":{{"type":'
        '"json_schema","json_schema":{{"name":"x","strict":true,"schema":{}}}}}}}'
    ),
    '{{"model":"m","input":"x","text":{{"format":{{"type":"json_schema","name":"x","schema":{}}}}}}}',
    '{{"name":"x","file_ids":["a"],"metadata":{0},"attributes":{0},"query":"x","input":"x"}}',
)
"""Where a value that is nested deeply can stand in a body."""


def nested(form, depth):
    head, tail = form.replace("{{", "{").replace("}}", "}").split("{}", 1)
    return head * depth + "1" + tail * depth


@pytest.mark.parametrize(
    "path", [*PATHS, *(f"/_gateway/t/deep/{endpoint}" for endpoint in CONTROL)]
)
def test_a_body_of_any_depth_is_answered_or_refused(app, path):
    for place in PLACES:
        for form in NESTED:
            for depth in (150, 320, 480, 960, 990):  # no encoder or walker goes as deep as another
                body = place.format(nested(form, depth)).encode()
                check(*app.post(path, body), kinds=(200, 400, 404))
    status, answer = app.post(path, b"[" * 100_000 + b"]" * 100_000)
    assert status in {400, 404}, answer


def test_what_is_nested_too_deeply_for_an_answer_is_refused(app, monkeypatch):
    def too_deep(*_):
        raise RecursionError

    monkeypatch.setattr(chat_requests, "check_shapes", too_deep)
    status, answer = app.post("/v1/chat/completions", json.dumps(GOOD).encode())
    assert (status, "nested too deeply" in json.loads(answer)["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    "data",
    [
        b'{"model": "m", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model": "m", "zzz": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b', "messages": '
        b'[{"role": "user", "content": "x"}]}',
        b'{"model": "m", "temperature": 1e999, "messages": []}',
        b'{"model": "m", "temperature": NaN, "messages": []}',
        b'{"model": "m", "n": ' + b"9" * 5000 + b', "messages": []}',
        b'{"model": "\\ud800", "messages": [{"role": "user", "content": "\\udfff"}]}',
        b"\xff\xfe{}",
        b"",
    ],
    ids=["deep", "deep-unknown", "infinite", "nan", "long-number", "surrogate", "bytes", "empty"],
)
def test_bodies_that_break_others(app, data, request):
    name = request.node.callspec.id  # a namespace of its own, whose journal is short
    check(*app.post(f"/t/{name}/v1/chat/completions", data))
    status, answer = app.post(f"/_gateway/t/{name}/journal", b"", method="GET")
    assert status == 200
    assert len(json.loads(answer)["entries"]) == 1


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity"])
def test_a_number_that_json_has_no_form_for_is_refused_wherever_it_stands(app, number):
    body = b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "zzz": ' + number + b"}"
    assert app.post("/v1/chat/completions", body)[0] == 400


def test_a_schema_that_would_grow_without_end_is_answered_soon(app):
    node = {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdef"},
            "required": list("abcdef")}  # fmt: skip
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": node}}
    body = {"model": "m", "messages": HELLO, "response_format": form}
    status, answer = app.post("/v1/chat/completions", json.dumps(body).encode())
    assert status == 200
    assert len(answer) < 1_000_000


def test_a_body_of_twenty_megabytes_is_answered_and_a_larger_one_refused(server, http):
    url = f"{server}/t/large/v1/chat/completions"
    for size, status in ((20_000_000, 200), (21_000_000, 413)):
        content = json.dumps({"model": "m", "max_tokens": 3, "messages": [
            {"role": "user", "content": "x" * (size - 100)}]}).encode()  # fmt: skip
        assert http.post(url, content=content, headers=KEY, timeout=60).status_code == status


def test_two_hundred_streams_at_once_are_all_whole(server):
    async def stream(client, number):
        body = {"model": "m", "stream": True,
                "messages": [{"role": "user", "content": f"{number} " + "word " * 50}]}  # fmt: skip
        url = f"{server}/t/stream-{number}/v1/chat/completions"
        text = ""
        async with client.stream("POST", url, json=body, headers=KEY) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    choice = json.loads(line[6:])["choices"][0]
                    text += choice["delta"].get("content", "")
        return text

    async def run():
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
            return await asyncio.gather(*(stream(client, number) for number in range(200)))

    for number, text in enumerate(asyncio.run(run())):
        assert text == f"echo: {number} " + "word " * 50


def test_clients_that_leave_at_any_moment_leave_a_gateway_that_works(server, http):
    host, port = server.removeprefix("http://").split(":")
    body = json.dumps({"model": "m", "stream": True,
                       "messages": [{"role": "user", "content": "word " * 2000}]})  # fmt: skip
    head = (
        "POST /t/leaving/v1/chat/completions HTTP/1.1\r\n"
        "Host: localhost\r\nAuthorization: Bearer x\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    whole = (head + body).encode()

    def leave(at):
        with socket.create_connection((host, int(port))) as link:
            link.sendall(whole[:at])
            if at == len(whole):
                link.recv(10)

    threads = [
        threading.Thread(target=leave, args=(at,))
        for at in [10, len(head) - 1, len(head), len(head) + 50, len(whole)] * 8
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    good = http.post(f"{server}/t/leaving/v1/chat/completions", headers=KEY,
                     json={"model": "m", "messages": HELLO})  # fmt: skip
    assert good.status_code == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["GATEWAY_LLM=lvie"], "environment GATEWAY_LLM: invalid choice: 'lvie'"),
        (["GATEWAY_BUDGET_USD=lots"], "environment GATEWAY_BUDGET_USD: 'lots' is not an amount"),
        (["--llm", "live"], "needs a budget"),
        (["--llm", "live", "--budget-usd", "1"], "needs its key"),
        (["--llm", "replay"], "needs a folder"),
        (["--scripts", "/nowhere.yaml"], "/nowhere.yaml"),
        (["--budget-usd", "lots"], "not an amount in US dollars"),
    ],
)
def test_a_wrong_command_line_ends_with_a_sentence(arguments, message):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GATEWAY")}
    environment |= dict(
        argument.split("=") for argument in arguments if argument.startswith("GATEWAY")
    )
    arguments = [argument for argument in arguments if not argument.startswith("GATEWAY")]
    done = subprocess.run([sys.executable, "-m", "stackproof_gateway", *arguments], text=True,
                          capture_output=True, check=False, env=environment)  # fmt: skip
    assert done.returncode in {1, 2}
    assert message in done.stderr
    assert "Traceback" not in done.stderr
