"""Recordings are replayed where ids, times and folders differ from run to run."""

import hashlib
import json
import re
import uuid
from datetime import UTC, datetime

import httpx
import openai
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from packages.gateway.tests.rig import MODEL, ask

from stackproof_gateway.options import Options
from stackproof_gateway.provider.changing import Changing, put_into
from stackproof_gateway.provider.requests import RecordedRequest
from stackproof_gateway.settings import options, parser
from stackproof_gateway.strict_fields import ScriptError

A, B, C, D = (str(uuid.UUID(int=n, version=4)) for n in (11, 22, 33, 44))


def numbered(text):
    """A text of a request with placeholders."""
    return Changing().numbered(RecordedRequest("POST", "/v1/responses", {"input": text}))


def answer(client, text, **fields):
    return ask(client, text, **fields).choices[0].message.content


def recorded(rig, *texts, **fields):
    """What the provider has answered to texts; it says each of them again."""
    client = rig.client(rig.gateway("record"))
    return [answer(client, text, max_tokens=200, **fields) for text in texts]


def replayed(rig, *texts, **options):
    client = rig.client(rig.gateway("replay", **options))
    return [answer(client, text, max_tokens=200) for text in texts]


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (f"task {A}", f"task {B}"),
        (f"task {uuid.UUID(A).hex}", f"task {uuid.UUID(B).hex}"),
        ("today is 2026-11-26", "today is 2026-11-27"),
        ("Today is Thursday, November 26, 2026.", "Today is Friday, November 27, 2026."),
        ("it is 26 Nov 2026", "it is 1 December 2026"),
        ("due 26.11.2026", "due 27.11.2026"),
        ("at 2026-11-26T09:00:00Z", "at 2026-11-26T10:13:20.123456+00:00"),
        ("at 2026-11-26 09:00", "at 2026-11-27 10:13"),
        ("Date: Thu, 26 Nov 2026 09:00:00 GMT", "Date: Fri, 27 Nov 2026 10:00:00 GMT"),
        ("Thu Nov 26 19:58:13 UTC 2026", "Fri Nov 27 09:58:13 UTC 2026"),
        ("run 20261126T090000Z", "run 20261127T100000Z"),
        ("it is 09:00:01", "it is 10:30:59"),
        ("in /tmp/tmpab12cd34/report.md", "in /tmp/tmpzz99yy88/report.md"),
        ("in /tmp/pytest-of-me/pytest-1/x.md", "in /tmp/pytest-of-root/pytest-22/x.md"),
        ("in /var/folders/xy/abc0/T/job-1/x", "in /tmp/job-2/x"),
        ("at http://127.0.0.1:4000/x", "at http://127.0.0.1:35213/x"),
    ],
)  # fmt: skip
def test_what_was_recorded_with_other_values_matches_and_is_put_back(then, now):
    old, new = numbered(then), numbered(now)
    assert old.request == new.request
    values = dict(zip(old.values, new.values, strict=True))
    said = put_into(json.dumps({"said": f"echo: {then}"}).encode(), values, stream=False)
    assert json.loads(said) == {"said": f"echo: {now}"}


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("add 12 and 30", "add 12 and 31"),
        ("step-1", "step-2"),
        ("read /tmp/report.md", "read /tmp/other.md"),
        ("read /tmp/tmpab12cd34/report.md", "read /tmp/tmpab12cd34/other.md"),
        ("version 1.2.3", "version 1.2.4"),
        ("meet at 10:30", "meet at 11:30"),
        ("2026-11-26 and 2026-11-26", "2026-11-26 and 2026-11-27"),
        (f"{A} and {B}", f"{A} and {A}"),
    ],
)
def test_what_decides_the_answer_is_not_replaced(then, now):
    assert numbered(then).request != numbered(now).request


def test_yesterdays_recording_replays_today(rig):
    assert recorded(rig, f"it is 2026-11-26, task {A}") == [f"echo: it is 2026-11-26, task {A}"]
    assert replayed(rig, f"it is 2026-11-27, task {B}") == [f"echo: it is 2026-11-27, task {B}"]


def test_the_date_of_a_model_decides(rig):
    ask(rig.client(rig.gateway("record")), model="gpt-4o-2024-08-06")
    with pytest.raises(openai.NotFoundError, match="was not recorded"):
        ask(rig.client(rig.gateway("replay")), model="gpt-4o-2024-11-20")


def test_the_difference_has_placeholders_and_no_noise(rig):
    recorded(rig, f"task {A} on 2026-11-26\nweather in Oslo")
    with pytest.raises(openai.NotFoundError) as caught:
        replayed(rig, f"task {B} on 2026-11-27\nweather in Bergen")
    said = caught.value.body["message"]
    assert " task <uuid-1> on <date-1>" in said
    assert said.index("weather in Bergen") < said.index("max_tokens: 200")  # as it was sent
    assert A not in said
    assert B not in said


def test_values_that_change_places_are_put_into_the_answer_at_once(rig):
    recorded(rig, f"{A} before {B}")
    assert replayed(rig, f"{B} before {A}") == [f"echo: {B} before {A}"]


def test_requests_that_differ_in_values_alone_have_each_their_answer(rig):
    rig.provider.when(text=A).reply("the first")
    rig.provider.when(text=B).reply("the second")
    recorded(rig, f"list {A}, {B}", f"detail {A}", f"detail {B}")
    said = replayed(rig, f"list {C}, {D}", f"detail {D}", f"detail {D}", f"detail {C}")
    assert said[1:] == ["the second", "the second", "the first"]
    assert replayed(rig, f"detail {B}", f"detail {A}") == ["the second", "the first"]


def test_moments_that_are_one_now_replay_in_turn(rig):
    rig.provider.when(call=1).reply("the first")
    rig.provider.when(call=1).reply("the second")
    recorded(rig, "it is 09:00:01", "it is 09:00:02")
    assert replayed(rig, *["it is 10:00:00"] * 3) == ["the first", "the second", "the second"]


def test_a_value_of_an_earlier_call_is_put_into_a_later_answer(rig):
    rig.provider.when(text="which").reply(f"it was {A}, I noted {C}")
    recorded(rig, f"note {A}", "which")
    assert replayed(rig, f"note {B}", "which")[1] == f"it was {B}, I noted {C}"


def test_a_value_that_an_answer_brings_in_is_found_in_the_next_request(rig):
    rig.provider.when(text="make").reply(f"made {C} and {D}")
    rig.provider.when(text=C).reply("about C")
    rig.provider.when(text=D).reply("about D")
    texts = "make on 2026-11-26", f"2026-11-26 show {C}", f"2026-11-26 show {D}"
    recorded(rig, *texts)
    show = [f"2026-11-27 show {value}" for value in (D, D, C)]
    said = replayed(rig, "make on 2026-11-27", *show)
    assert said == [f"made {C} and {D}", "about D", "about D", "about C"]


def test_a_value_that_is_cut_over_the_events_of_a_stream_is_replaced(rig):
    client = rig.client(rig.gateway("record"))
    list(ask(client, f"task {A}", stream=True))
    (path,) = rig.cassettes.glob("*.yaml")
    value = yaml.safe_load(path.read_text())
    events = [
        {"id": A, "choices": [{"index": 0, "delta": {"content": piece}}]}
        for piece in ("made ", A[:7], A[7:20], A[20:] + ", ", "and more")
    ]
    value["replies"][0]["stream"] = "".join(f"data: {json.dumps(e)}\n\n" for e in events)
    path.write_text(yaml.safe_dump(value))
    chunks = list(ask(rig.client(rig.gateway("replay")), f"task {B}", stream=True))
    assert {chunk.id for chunk in chunks} == {B}
    assert "".join(c.choices[0].delta.content for c in chunks) == f"made {B}, and more"


def test_tool_arguments_and_embedded_json_have_the_values_of_now(rig):
    def body(task, folder):
        inner = json.dumps({"task": task, "log": f"at\n{folder}/out"})
        return {"model": MODEL, "max_tokens": 100, "tool_choice": "required",
                "messages": [{"role": "user", "content": json.dumps({"result": inner})}],
                "tools": [{"type": "function", "function": {"name": "go", "parameters": {
                    "type": "object", "properties": {"a": {"type": "string"}}}}}]}  # fmt: skip

    def post(gateway, **values):
        url = f"{gateway.openai_base_url}/chat/completions"
        done = httpx.post(url, json=body(**values), headers={"authorization": "Bearer x"})
        assert done.status_code == 200, done.text
        call = done.json()["choices"][0]["message"]["tool_calls"][0]
        return json.loads(call["function"]["arguments"])

    then = {"task": A, "folder": "/tmp/tmpab12cd34"}
    now = {"task": B, "folder": "/tmp/tmpef56gh78"}
    call = {"name": "go", "arguments": {"a": json.dumps(then)}}
    rig.provider.when().reply(tool_calls=[call])
    assert json.loads(post(rig.gateway("record"), **then)["a"]) == then
    assert json.loads(post(rig.gateway("replay"), **now)["a"]) == now


def test_ids_in_fields_that_are_not_compared_shift_no_number(rig):
    ask(rig.client(rig.gateway("record")), f"task {A}", extra_body={"metadata": {"x": C}})
    said = ask(rig.client(rig.gateway("replay")), f"task {B}").choices[0].message.content
    assert said == f"echo: task {B}"


def test_recording_again_replaces_what_differs_in_values_alone(rig):
    recorded(rig, f"task {A}", f"task {B}")
    recorded(rig, f"task {C}", f"task {D}")
    texts = [path.read_text() for path in rig.cassettes.glob("*.yaml")]
    assert len(texts) == 2
    assert not any(A in text or B in text for text in texts)


def test_classes_are_a_setting(rig):
    recorded(rig, "ticket TIC-12, 2026-11-26")
    own = ("date", "ticket=TIC-[0-9]{1,3}")
    said = replayed(rig, "ticket TIC-77, 2026-11-27", changing=own)
    assert said == ["echo: ticket TIC-77, 2026-11-27"]
    with pytest.raises(openai.NotFoundError):
        replayed(rig, "ticket TIC-12, 2026-11-27", changing=("none",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("default",)),
        ("default,number", ("default", "number")),
        ("uuid, ticket=T-[0-9]{1,3},date", ("uuid", "ticket=T-[0-9]{1,3}", "date")),
    ],
)
def test_classes_are_read_from_the_environment(text, expected):
    environment = {"GATEWAY_CHANGING": text}
    assert options(parser(environment).parse_args([]), environment).changing == expected
    assert Options().changing == ("default",)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("uid", "uid"),
        ("x=(", "regular"),
        ("x=a*", "some text"),
        ("x=(a)", "group"),
        ("X=a", "small"),
    ],
)
def test_a_class_that_can_not_be_used_is_refused(wrong, message):
    with pytest.raises(ScriptError, match=message):
        Changing([wrong])


def moments():
    return st.integers(946_684_800, 4_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC))


VALUES = {
    "uuid": st.uuids(version=4).map(str),
    "timestamp": moments().map(datetime.isoformat),
    "date": moments().map(lambda at: at.date().isoformat()),
    "temporary-path": st.from_regex(r"/tmp/tmp[a-z0-9_]{8}", fullmatch=True),
}
WORDS = st.text('abcXYZ019 -_.:/\\"\n\té€', max_size=8)


@st.composite
def two_requests(draw):
    """Two requests that differ in values alone, consistently, and their values."""
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=2, max_size=5))
    then, now = [], []
    for kind in kinds:
        for values in (then, now):
            values.append(draw(VALUES[kind].filter(lambda value, taken=values: value not in taken)))
    places = draw(st.lists(st.integers(0, len(kinds) - 1), min_size=2, max_size=9))
    words = draw(st.lists(WORDS, min_size=len(places), max_size=len(places)))
    return words, places, kinds, then, now


def request_of(words, places, values):
    texts = [f"{word} {values[place]} " for word, place in zip(words, places, strict=True)]
    content = [{"type": "text", "text": text} for text in texts]
    inner = json.dumps({"all": texts})
    messages = [{"role": "user", "content": content}, {"role": "tool", "content": inner}]
    return RecordedRequest("POST", "/v1/chat/completions", {"messages": messages})


TIME = "2000-01-02T00:00:00+00:00"


@given(two_requests())
@example((["", ""], [0, 1], ["timestamp", "date"], [TIME, "2000-01-02"], [TIME, "2000-01-01"]))
def test_values_that_are_replaced_consistently_match_and_are_put_back(drawn):
    words, places, _, then, now = drawn
    changing = Changing()
    old = changing.numbered(request_of(words, places, then))
    new = changing.numbered(request_of(words, places, now))
    assert old.request.key() == new.request.key()
    values = dict(zip(old.values, new.values, strict=True))
    answer_then = json.dumps(request_of(words, places, then).body, ensure_ascii=False).encode()
    answer_now = json.dumps(request_of(words, places, now).body, ensure_ascii=False).encode()
    assert put_into(answer_then, values, stream=False) == answer_now


@given(two_requests(), st.data())
def test_values_that_are_replaced_inconsistently_do_not_match(drawn, data):
    words, places, _, then, now = drawn
    used = sorted(set(places))
    first, second = (data.draw(st.sampled_from(used)), data.draw(st.sampled_from(used)))
    if first == second:
        return
    now[second] = now[first]  # two values then, one value now
    changing = Changing()
    old = changing.numbered(request_of(words, places, then))
    assert old.request.key() != changing.numbered(request_of(words, places, now)).request.key()


def uploaded(rig, mode, text):
    client = rig.client(rig.gateway(mode))
    return client.files.create(file=("notes.md", text.encode()), purpose="assistants").id


def test_a_file_whose_text_differs_in_values_alone_is_the_same_upload(rig):
    recorded = uploaded(rig, "record", f"task {A}, 2026-11-26")
    assert uploaded(rig, "replay", f"task {B}, 2026-11-27") == recorded
    with pytest.raises(openai.NotFoundError, match="was not recorded") as failed:
        uploaded(rig, "replay", f"the task {B}, 2026-11-27")
    assert "the task <uuid-1>" in str(failed.value)


@pytest.mark.parametrize("kind", ["boundary=b; charset=utf-8", 'Boundary="b"', "boundary=other"])
def test_uploads_are_told_apart_however_their_boundary_is_given(rig, http, kind):
    def status(mode, text):
        fields = {"purpose": "assistants", 'file"; filename="a.md': text}
        parts = [f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                 for name, value in fields.items()]  # fmt: skip
        headers = {"content-type": f"multipart/form-data; {kind}", "authorization": "Bearer sk-any"}
        url, content = f"{rig.gateway(mode).openai_base_url}/files", "".join([*parts, "--b--\r\n"])
        return http.post(url, content=content.encode(), headers=headers).status_code

    recorded = status("record", "one")
    assert [status("replay", text) for text in ("one", "two")] == [recorded, 404]


def test_an_upload_that_an_earlier_version_recorded_by_its_digest_is_replayed(rig):
    recorded = uploaded(rig, "record", f"task {A}")
    (cassette,) = rig.cassettes.iterdir()
    kept = yaml.safe_load(cassette.read_text())
    (form,) = [entry.request for entry in rig.provider.requests()]
    data = re.sub("--[0-9a-f]{32}", "--", form).encode()
    kept["request"]["body"] = f"sha256:{hashlib.sha256(data).hexdigest()}"
    cassette.write_text(yaml.safe_dump(kept))
    assert uploaded(rig, "replay", f"task {A}") == recorded


@pytest.mark.parametrize("content", [b"\x89PNG\xff", b"x" * 100_001])
def test_a_file_that_is_long_or_no_text_is_known_by_its_digest(rig, content):
    client = rig.client(rig.gateway("record"))
    recorded = client.files.create(file=("a.bin", content), purpose="assistants").id
    (cassette,) = rig.cassettes.iterdir()
    assert "sha256:" in cassette.read_text()
    client = rig.client(rig.gateway("replay"))
    assert client.files.create(file=("a.bin", content), purpose="assistants").id == recorded
