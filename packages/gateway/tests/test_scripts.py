"""Scripted replies: which calls they answer, with what, and how they are written."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest

from stackproof.waiting import wait_until
from stackproof_gateway.script_reading import load_scripts
from stackproof_gateway.strict_fields import ScriptError


def ask(client, text="hello", model="m", **fields):
    messages = fields.pop("messages", [{"role": "user", "content": text}])
    return client.chat.completions.create(model=model, messages=messages, **fields)


def said(client, text="hello", **fields):
    return ask(client, text, **fields).choices[0].message.content


def test_a_test_scripts_the_reply_to_a_model(gateway, client):
    gateway.when("gpt-*").reply("scripted")
    assert said(client, model="gpt-4o") == "scripted"
    assert said(client, model="other") == "echo: hello"
    assert gateway.requests()[0].script == "script-1"


def test_a_reply_is_chosen_by_text_or_expression_of_the_last_message(gateway, client):
    gateway.when(text="weather").reply("sunny")
    gateway.when(regex=r"^\d+$").reply("a number")
    answers = [said(client, text) for text in ("the weather?", "42", "else 42")]
    assert answers == ["sunny", "a number", "echo: else 42"]


def test_a_conversation_calls_a_tool_and_answers_with_its_result(gateway, client):
    gateway.when(tool_result="21 degrees").reply("It is 21 degrees.")
    gateway.when(text="Oslo").reply(tool_calls=[{"name": "weather", "arguments": {"in": "Oslo"}}])
    first = ask(client, "Oslo?").choices[0]
    call = first.message.tool_calls[0]
    assert (first.finish_reason, call.function.name) == ("tool_calls", "weather")
    assert json.loads(call.function.arguments) == {"in": "Oslo"}
    messages = [
        {"role": "user", "content": "Oslo?"},
        first.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"},
    ]
    assert said(client, messages=messages) == "It is 21 degrees."


def test_only_the_nth_call_is_answered(gateway, client):
    gateway.when("m", call=2).reply("second")
    assert [said(client) for _ in range(3)] == ["echo: hello", "second", "echo: hello"]


def test_replies_are_given_in_turn_and_then_no_more(gateway, client):
    gateway.when("m").replies("one", {"json": {"two": 2}})
    assert [said(client) for _ in range(3)] == ["one", '{"two": 2}', "echo: hello"]


def test_a_reply_can_wait_for_a_side_effect_that_the_test_signals(gateway, client):
    gateway.when("m", after={"signal": "row written"}).reply("after")
    assert said(client) == "echo: hello"
    gateway.signal("row written")
    assert said(client) == "after"


def test_a_reply_can_follow_another_script_or_an_earlier_call(gateway, client):
    gateway.when("m", after={"call": "/v1/embeddings"}).reply("embedded")
    gateway.when("m", after={"script": "script-1"}).reply("never first")
    assert said(client) == "echo: hello"
    client.embeddings.create(model="e", input="x")
    assert said(client) == "embedded"


def test_scripts_of_later_turns_do_not_fire_for_other_tests(server, gateway, client):
    gateway.when().reply("mine")
    with openai.OpenAI(base_url=f"{server}/t/someone-else/v1", api_key="x") as other:
        assert said(other) == "echo: hello"


def test_an_error_reaches_the_application_unless_it_is_meant_for_the_client(gateway, client):
    gateway.when(text="surface").fail(503, message="down")
    gateway.when(text="attempt").fail(503, unit="attempt", times=1)
    with pytest.raises(openai.InternalServerError, match="down"):
        ask(client, "surface")
    assert said(client, "attempt") == "echo: attempt"
    assert [call.fault.reached_app for call in gateway.faults()] == ["reached", "absorbed"]


def test_a_rate_limit_says_when_to_come_back(gateway, client):
    gateway.when().fail(429, retry_after=0.05, times=1)
    assert said(client) == "echo: hello"
    with openai.OpenAI(base_url=gateway.openai_base_url, api_key="x", max_retries=0) as once:
        gateway.when().fail(429, retry_after=7)
        with pytest.raises(openai.RateLimitError) as caught:
            ask(once)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.code == "rate_limit_exceeded"


def test_an_answer_is_held_until_the_test_releases_it(gateway, client):
    gateway.when().reply("at last", hold="gate")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(said, client)
        wait_until(gateway.requests, timeout=10, what="it is held")
        assert not answer.done()
        gateway.release("gate")
        assert answer.result(timeout=10) == "at last"


def test_a_reset_lets_go_what_is_held(gateway, client):
    gateway.when().reply("let go", hold="gate")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(said, client)
        wait_until(gateway.requests, timeout=10, what="it is held")
        gateway.reset()
        assert answer.result(timeout=10) == "let go"


def test_a_stream_can_be_cut_after_some_events(gateway, client):
    gateway.when().reply("one two three four", cut_after=3)
    seen = []
    with pytest.raises(Exception, match=r"(?i)incomplete|peer closed|connection"):
        seen.extend(ask(client, stream=True))
    assert gateway.faults()[0].fault.kind == "script script-1"


def test_a_stream_can_hold_a_chunk_that_is_no_json(gateway, client):
    gateway.when().reply("one two three", malformed_after=2)
    with pytest.raises(json.JSONDecodeError):
        list(ask(client, stream=True))


def test_a_stream_can_bring_an_error_in_the_middle(gateway, client):
    gateway.when().reply("one two three", error_after=2)
    with pytest.raises(openai.APIError, match="error while processing"):
        list(ask(client, stream=True))


def test_a_stream_can_end_without_saying_why(gateway, client):
    gateway.when().reply("one two", ends=False)
    chunks = list(ask(client, stream=True))
    assert {chunk.choices[0].finish_reason for chunk in chunks} == {None}


def test_the_first_token_and_the_others_can_be_slow(gateway):
    gateway.when().reply("one two", first_token_after=0.2, between_tokens=0.05)
    url = f"{gateway.openai_base_url}/chat/completions"
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    with httpx.stream("POST", url, json=body, headers={"authorization": "Bearer x"}) as answer:
        began = time.monotonic()
        times = [time.monotonic() - began for line in answer.iter_lines() if line]
    assert times[0] >= 0.15
    assert times[-1] - times[0] >= 0.15


def test_refusal_usage_and_reason_can_be_scripted(gateway, client):
    gateway.when(text="no").reply(refusal="I will not.")
    gateway.when(text="usage").reply("x", usage={"prompt_tokens": 1000, "total_tokens": 1001},
                                     finish_reason="content_filter")  # fmt: skip
    assert ask(client, "no").choices[0].message.refusal == "I will not."
    answer = ask(client, "usage")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1000, 1)
    assert answer.choices[0].finish_reason == "content_filter"


def test_every_script_must_be_used_as_often_as_it_says(gateway, client):
    gateway.when(text="a").reply("x")
    gateway.when(text="b").reply("y", times=2)
    ask(client, "a")
    ask(client, "b")
    assert gateway.unused_scripts() == ["script-2"]
    with pytest.raises(AssertionError, match=r"not used: script-2; the journal(.|\n)*completions"):
        gateway.assert_all_scripts_used()
    ask(client, "b")
    gateway.assert_all_scripts_used()


def test_one_reply_is_given_to_exactly_one_of_many_calls_at_once(gateway, client):
    gateway.when().reply("the one", times=1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: said(client), range(24)))
    assert sorted(answers).count("the one") == 1


def test_a_misspelt_key_of_a_test_is_an_error_at_once(gateway):
    with pytest.raises(ValueError, match=r"unknown key `dealy`; did you mean `delay`\?"):
        gateway.when().reply("x", dealy=1)
    assert gateway.unused_scripts() == []


def test_the_clock_of_a_namespace_can_be_moved_on(gateway, client):
    before = ask(client).created
    gateway.advance_clock(3600)
    assert ask(client).created == before + 3601


GOOD = """
scripts:
  - name: greeting
    when: {model: "m*", text: hello}
    reply: Hello from the file
  - when: {regex: "^bye", after: {script: greeting}}
    replies:
      - text: bye
        delay: 0.01
      - error: {status: 503, message: gone}
    optional: true
"""


def test_a_file_of_scripts_is_read(tmp_path):
    path = tmp_path / "replies.yaml"
    path.write_text(GOOD)
    first, second = load_scripts(path)
    assert (first.name, first.when.written("model"), first.replies[0].reply.content) == (
        "greeting", "m*", "Hello from the file")  # fmt: skip
    assert (second.name, second.times, second.optional) == ("replies-2", 2, True)
    assert second.replies[1].error.status == 503


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scripts:\n  - wen: {}\n    reply: x\n", r"line 2: .*unknown key `wen`; did you mean"),
        ("scripts:\n  - reply:\n      txt: x\n", r"line 3: .*unknown key `txt`"),
        ("scripts:\n  - when: {regex: '('}\n    reply: x\n", "not a regular expression"),
        ("scripts:\n  - when: {}\n", "either `reply` or `replies`"),
        ("scripts:\n  - reply: x\n    times: 0\n", "line 3: .*from 1"),
        (
            "scripts:\n  - reply: {text: x, error: {}}\n",
            "`text` and `error` can't be used together",
        ),
        ("scripts:\n  - reply: x\n    reply: y\n", "line 3: the key `reply` is there twice"),
        ("scripts:\n  - reply: {error: {status: 200}}\n", "from 400"),
        ("scripts:\n  - reply: {tool_calls: [{}]}\n", "needs a `name`"),
        ("scripts:\n  - {name: a, reply: x}\n  - {name: a, reply: x}\n", "two scripts are named a"),
        ("scripts:\n  - when: {after: {}}\n    reply: x\n", "expected one of `signal`"),
        ("scripts:\n  - reply: {hold: true}\n", "name of a hold"),
        ("script: []\n", "unknown key `script`; did you mean `scripts`"),
        ("- x\n", "expected keys and values"),
        ("a: [\n", "while parsing"),
    ],
)
def test_a_file_that_is_not_right_is_refused_when_it_is_loaded(tmp_path, text, message):
    path = tmp_path / "replies.yaml"
    path.write_text(text)
    with pytest.raises(ScriptError, match=f"(?s)replies.yaml.*{message}"):
        load_scripts(path)


def test_scripts_of_a_file_serve_every_namespace_afresh(tmp_path, serve):
    path = tmp_path / "replies.yaml"
    path.write_text("scripts:\n  - {name: first, reply: once, times: 1}\n")
    with serve(scripts=path) as url:
        for name in ("a", "b"):
            with openai.OpenAI(base_url=f"{url}/t/{name}/v1", api_key="x") as client:
                assert [said(client), said(client)] == ["once", "echo: hello"]


def test_a_gateway_of_named_namespaces_refuses_requests_that_name_none(serve):
    with serve(strict_namespaces=True) as url:
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
        headers = {"authorization": "Bearer x"}
        bare = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers)
        assert (bare.status_code, bare.json()["error"]["code"]) == (400, "namespace_required")
        body["model"] = "m-ns-mine"
        named = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers)
        assert named.status_code == 200


def test_two_runs_answer_the_same_bytes_and_leave_the_same_journal(gateway):
    url, headers = gateway.openai_base_url, {"authorization": "Bearer x"}

    def run():
        gateway.reset()
        gateway.when(text="script").reply(tool_calls=[{"name": "f", "arguments": {"a": 1}}])
        found = []
        for text in ("hello", "script", "x" * 50):
            for stream in (False, True):
                body = {"model": "m", "stream": stream,
                        "messages": [{"role": "user", "content": text}]}  # fmt: skip
                answer = httpx.post(f"{url}/chat/completions", json=body, headers=headers)
                found.append((answer.content, sorted(answer.headers.items() - dates(answer))))
        journal = [vars(call) for call in gateway.requests()]
        for entry in journal:
            for key in ("time", "monotonic", "latency_ms"):
                entry.pop(key)
        return found, journal

    def dates(answer):
        return {("date", answer.headers["date"])}

    assert run() == run()


def test_a_hold_does_not_stop_other_calls(gateway, client):
    gateway.when(text="held").reply("x", hold="gate")
    thread = threading.Thread(target=lambda: said(client, "held"))
    thread.start()
    wait_until(gateway.requests, timeout=10, what="it is held")
    assert said(client, "free") == "echo: free"
    gateway.release("gate")
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_the_example_of_the_guide_is_a_file_that_loads(tmp_path):
    guide = Path(__file__).parents[3] / "docs" / "how-to" / "script-a-reply.md"
    (example,) = re.findall(r"```yaml\n(.*?)```", guide.read_text(), re.DOTALL)
    path = tmp_path / "replies.yaml"
    path.write_text(example)
    assert [script.name for script in load_scripts(path)] == ["greeting", "replies-2"]
