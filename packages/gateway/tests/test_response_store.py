"""Answers of the Responses API that are kept, in the background or not.

The texts of refusals about background responses were not compared with the provider's.
"""

import openai
import pytest

LONG = "Reply with exactly: " + " ".join(f"word{at}" for at in range(30))


def respond(client, given="hello", **fields):
    return client.responses.create(model="m", input=given, **fields)


def test_input_items_are_typed_and_have_ids(client):
    image = {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "auto"}
    items = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": [{"type": "input_text", "text": "look"}, image]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
    ]
    answer = respond(client, items)
    kept = client.responses.input_items.list(answer.id, order="asc").data
    assert kept[0].to_dict() == {
        "type": "message", "role": "user", "status": "completed", "id": kept[0].id,
        "content": [{"type": "input_text", "text": "hello"}],
    }  # fmt: skip
    assert [part.type for message in kept[1:3] for part in message.content] == [
        "output_text", "input_text", "input_image",
    ]  # fmt: skip
    assert [item.id.rpartition("_")[0].partition("_")[0] for item in kept] == [
        "msg", "msg", "msg", "fc", "fco",
    ]  # fmt: skip
    assert len({item.id for item in kept}) == 5


def test_input_items_come_in_pages(client):
    items = [{"role": "user", "content": str(at)} for at in range(5)]
    answer = respond(client, items)
    listed = client.responses.input_items.list(answer.id, limit=2)
    assert [item.content[0].text for item in listed.data] == ["4", "3"]
    assert listed.has_more
    after = client.responses.input_items.list(
        answer.id, order="asc", after=listed.data[1].id, limit=9
    )
    assert [item.content[0].text for item in after.data] == ["4"]
    assert not after.has_more
    assert [item.content[0].text for item in listed] == ["4", "3", "2", "1", "0"]
    with pytest.raises(openai.BadRequestError, match="from 1 to 100"):
        client.responses.input_items.list(answer.id, limit=101)


def test_a_truncated_answer_and_its_message_are_incomplete(client):
    answer = respond(client, LONG, max_output_tokens=16)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert answer.output[0].status == "incomplete"
    again = client.responses.retrieve(answer.id)
    assert again == answer
    with client.responses.stream(model="m", input=LONG, max_output_tokens=16) as stream:
        last = list(stream)[-1]
    assert (last.type, last.response.output[0].status) == ("response.incomplete", "incomplete")


def test_an_answer_that_was_cut_at_its_end_is_incomplete_when_it_is_asked_for_again(client):
    model = "m-fail-once-eof"
    stream = client.responses.create(model=model, input="hello", stream=True)
    events = list(stream)
    assert events[-1].type == "response.output_text.delta"
    again = client.responses.retrieve(events[0].response.id)
    assert (again.status, again.output[0].status) == ("incomplete", "incomplete")
    whole = client.responses.create(model=model, input="hello")
    assert whole.status == "completed"


def test_a_kept_answer_comes_as_a_stream_from_any_event_on(client):
    answer = respond(client)
    events = list(client.responses.retrieve(answer.id, stream=True))
    assert events[-1].type == "response.completed"
    assert events[-1].response == answer
    rest = list(client.responses.retrieve(answer.id, stream=True, starting_after=3))
    assert rest == events[4:]
    with pytest.raises(openai.BadRequestError, match="starting_after"):
        client.responses.retrieve(answer.id, stream=True, extra_query={"starting_after": "x"})
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_x", stream=True)


def test_a_background_response_is_queued_then_in_progress_then_completed(client):
    made = respond(client, background=True)
    assert (made.status, made.output, made.usage, made.background) == ("queued", [], None, True)
    looked = [client.responses.retrieve(made.id) for _ in range(3)]
    assert [answer.status for answer in looked] == ["in_progress", "completed", "completed"]
    assert (looked[2].output_text, looked[2].usage.output_tokens) == ("echo: hello", 2)


def test_a_background_response_waits_for_what_its_script_holds(gateway, client):
    gateway.when().reply("at last", hold="gate")
    made = respond(client, background=True)
    looked = [client.responses.retrieve(made.id).status for _ in range(4)]
    assert set(looked[1:]) == {"in_progress"}
    gateway.release("gate")
    assert client.responses.retrieve(made.id).output_text == "at last"


def test_a_background_response_can_be_cancelled_until_it_is_complete(client):
    made = respond(client, background=True)
    for _ in range(2):
        cancelled = client.responses.cancel(made.id)
        assert (cancelled.status, cancelled.output) == ("cancelled", [])
    assert client.responses.retrieve(made.id).status == "cancelled"
    assert [event.type for event in client.responses.retrieve(made.id, stream=True)] == [
        "response.created", "response.queued", "response.in_progress",
    ]  # fmt: skip
    done = respond(client, background=True)
    for _ in range(2):
        client.responses.retrieve(done.id)
    assert client.responses.cancel(done.id).status == "completed"
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(respond(client).id)


def test_a_background_response_is_streamed_from_where_the_client_has_lost_it(client):
    events = list(respond(client, background=True, stream=True))
    assert [event.type for event in events[:3]] == [
        "response.created", "response.queued", "response.in_progress",
    ]  # fmt: skip
    assert events[0].response.status == "queued"
    rest = list(client.responses.retrieve(events[0].response.id, stream=True, starting_after=4))
    assert rest == events[5:]
    assert rest[-1].response.status == "completed"


def test_an_input_that_is_too_long_is_refused_unless_it_may_be_cut(client):
    text = "word " * 128_001
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="gpt-4o", input=text)
    assert caught.value.code == "context_length_exceeded"
    cut = client.responses.create(
        model="gpt-4o", input=text, truncation="auto", max_output_tokens=16
    )
    assert cut.truncation == "auto"
    for fields, param in (({"truncation": "some"}, "truncation"),
                          ({"metadata": {"a": 1}}, "metadata.a")):  # fmt: skip
        with pytest.raises(openai.BadRequestError) as caught:
            respond(client, **fields)
        assert caught.value.param == param


def test_a_background_response_is_kept(client):
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, background=True, store=False)
    assert caught.value.param == "store"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("computer_call", {"action": {"type": "screenshot"}, "pending_safety_checks": []}),
        ("shell_call", {"action": {"commands": ["ls"]}}),
        ("apply_patch_call", {"operation": {"type": "delete_file", "path": "a"}}),
        ("local_shell_call", {"action": {"type": "exec", "command": ["ls"], "env": {}}}),
    ],
)
def test_calls_of_the_clients_own_tools_need_their_answers(client, kind, fields):
    called = {"type": kind, "id": "x", "call_id": "c", "status": "completed", **fields}
    key = "id" if kind == "local_shell_call" else "call_id"
    output = {"type": f"{kind}_output", key: "c", "output": "done", "status": "completed"}
    name = kind.replace("_", " ")
    assert respond(client, [called, output]).output_text
    for items, message in (
        ([called], f"No tool output found for {name} c."),
        ([output], f"No tool call found for {name} output with call_id c."),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            respond(client, items)
        assert (caught.value.body["message"], caught.value.param) == (message, "input")
