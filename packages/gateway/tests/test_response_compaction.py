"""A context that is compacted within a response, by `context_management`.

Where the item stands and what comes after it rests on OpenAI's guide "Compaction". The texts of
refusals were not compared with the provider's.
"""

import openai
import pytest

LIMIT = [{"type": "compaction", "compact_threshold": 1000}]
LONG = "word " * 1200


def respond(client, given, **fields):
    return client.responses.create(model="m", input=given, context_management=LIMIT, **fields)


def kinds(answer):
    return [item.type for item in answer.output]


def test_a_context_above_the_threshold_becomes_one_item_before_the_answer(client):
    assert kinds(respond(client, "word " * 1000)) == ["message"]
    answer = respond(client, LONG + "Reply with exactly: yes")
    assert kinds(answer) == ["compaction", "message"]
    assert (answer.output_text, answer.usage.input_tokens) == ("yes", 1204)
    assert kinds(client.responses.retrieve(answer.id)) == ["compaction", "message"]


def test_a_stream_brings_the_item(client):
    with client.responses.stream(model="m", input=LONG, context_management=LIMIT) as stream:
        events = list(stream)
    done = [event.item.type for event in events if event.type == "response.output_item.done"]
    assert done == kinds(events[-1].response) == ["compaction", "message"]


def test_the_next_response_sees_the_item_and_what_follows(client):
    first = respond(client, LONG + "Reply with exactly: yes")
    later = respond(client, "and now?", previous_response_id=first.id)
    assert (kinds(later), later.usage.input_tokens) == (["message"], 500 + 1 + 2)
    kept = [{"role": "user", "content": LONG}, *first.to_dict()["output"]]
    for given in (kept, kept[1:]):
        again = respond(client, [*given, {"role": "user", "content": "and now?"}])
        assert (kinds(again), again.usage.input_tokens) == (["message"], 503)


def test_the_item_comes_back_unchanged(client):
    item = respond(client, LONG).to_dict()["output"][0]
    item["encrypted_content"] = "x" + item["encrypted_content"]
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, [item, {"role": "user", "content": "hello"}])
    assert caught.value.code == "invalid_encrypted_content"


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"type": "compaction"}, "context_management", "invalid_type"),
        (["compaction"], "context_management[0]", "invalid_type"),
        ([{"compact_threshold": 2000}], "context_management[0].type", "missing_required_parameter"),
        ([*LIMIT, {"type": "dance"}], "context_management[1].type", "invalid_value"),
        ([{"type": "compaction", "compact_threshold": 999}],
         "context_management[0].compact_threshold", "integer_below_min_value"),
        ([{"type": "compaction", "compact_threshold": "many"}],
         "context_management[0].compact_threshold", "invalid_type"),
        # the provider has a threshold of its own, which nobody knows
        ([{"type": "compaction"}], "context_management[0].compact_threshold", "unsupported_value"),
    ],
)  # fmt: skip
def test_what_can_not_be_honoured_is_refused(client, given, param, code):
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="m", input="hello", context_management=given)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_an_item_that_triggers_it_is_refused_unless_a_script_answers(gateway, client):
    items = [{"role": "user", "content": "hello"}, {"type": "compaction_trigger"}]
    with pytest.raises(openai.BadRequestError, match="does not act on") as caught:
        client.responses.create(model="m", input=items)
    assert caught.value.param == "input[1].type"
    gateway.when(path="/v1/responses").reply("done")
    assert client.responses.create(model="m", input=items).output_text == "done"
