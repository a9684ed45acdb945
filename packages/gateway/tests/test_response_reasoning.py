"""Models of OpenAI reason: items, summaries, encrypted content, tokens, and items that come back.

The texts of refusals are those that users of the API have reported; the status 404 of an unknown
item is reported as 400 as well.
"""

import openai
import pytest
from packages.gateway.tests.rig import ask

HELLO = {"role": "user", "content": "hello"}
ENCRYPTED = "reasoning.encrypted_content"
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def respond(client, *items, model="gpt-5", **fields):
    return client.responses.create(model=model, input=[HELLO, *items], **fields)


def test_a_model_that_reasons_has_an_item_and_tokens_of_it(gateway, client):
    gateway.when(text="hello").reply("hi", reasoning=["First this.", "Then that."])
    answer = respond(client, reasoning={"summary": "auto"})
    thought, message = answer.output
    assert (thought.type, thought.id[:3]) == ("reasoning", "rs_")
    assert [part.text for part in thought.summary] == ["First this.", "Then that."]
    assert (thought.encrypted_content, message.content[0].text) == (None, "hi")
    usage = answer.usage
    assert (usage.output_tokens_details.reasoning_tokens, usage.output_tokens) == (4, 5)
    assert usage.total_tokens == usage.input_tokens + 5


def test_a_summary_is_told_only_if_it_is_asked_for(client):
    assert respond(client).output[0].summary == []
    assert respond(client, reasoning={"summary": "detailed"}).output[0].summary[0].text


def test_a_redacted_thought_is_in_no_summary(gateway, client):
    gateway.when(text="hello").reply("hi", reasoning=["This is told.", {"redacted": "This not."}])
    summary = respond(client, reasoning={"summary": "auto"}).output[0].summary
    assert [part.text for part in summary] == ["This is told."]


@pytest.mark.parametrize(
    ("model", "reasoning", "reasons"),
    [
        ("gpt-4o", None, False),
        ("o3", None, True),
        ("gpt-5.1", None, False),
        ("gpt-5.1", {"effort": "low"}, True),
        ("gpt-5.1", {"effort": "none"}, False),
        ("unknown", None, False),
        ("unknown", {"effort": "low"}, True),
    ],
)
def test_a_model_reasons_by_its_rules_and_the_effort(client, model, reasoning, reasons):
    answer = respond(client, model=model, reasoning=reasoning)
    assert ("reasoning" in [item.type for item in answer.output]) is reasons
    assert (answer.usage.output_tokens_details.reasoning_tokens > 0) is reasons
    chat = ask(client, model=model, max_tokens=openai.NOT_GIVEN,
               reasoning_effort=reasoning["effort"] if reasoning else None).usage  # fmt: skip
    assert (chat.completion_tokens_details.reasoning_tokens > 0) is reasons
    assert chat.total_tokens == chat.prompt_tokens + chat.completion_tokens


def test_scripted_reasoning_reaches_unknown_models_but_none_that_do_not_reason(gateway, client):
    gateway.when().reply("hi", reasoning="I think.")
    assert respond(client, model="unknown").output[0].type == "reasoning"
    assert respond(client, model="gpt-4o").output[0].type == "message"
    gateway.reset()
    gateway.when().reply("hi", reasoning=[])
    assert [item.type for item in respond(client).output] == ["message"]


def test_encrypted_content_is_told_where_it_is_asked_for_or_nothing_is_stored(client):
    assert respond(client, include=[ENCRYPTED]).output[0].encrypted_content
    assert respond(client, store=False).output[0].encrypted_content
    assert respond(client).output[0].encrypted_content is None


def test_a_stream_brings_the_same_item_by_the_events_of_the_provider(client):
    fields = {"model": "gpt-5", "input": [HELLO], "reasoning": {"summary": "auto"}}
    with client.responses.stream(**fields, include=[ENCRYPTED]) as stream:
        events = list(stream)
        whole = stream.get_final_response()
    kinds = [event.type for event in events if "reasoning" in event.type]
    assert kinds[0] == "response.reasoning_summary_part.added"
    assert kinds[-2:] == ["response.reasoning_summary_text.done",
                          "response.reasoning_summary_part.done"]  # fmt: skip
    deltas = [event.delta for event in events
              if event.type == "response.reasoning_summary_text.delta"]  # fmt: skip
    assert "".join(deltas) == whole.output[0].summary[0].text
    plain = client.responses.create(**fields, include=[ENCRYPTED])
    assert whole.output[0].to_dict() == {**plain.output[0].to_dict(), "id": whole.output[0].id}
    assert [event.sequence_number for event in events] == [*range(len(events))]


def test_a_loop_of_tools_goes_on_with_the_reasoning_that_came_back(client):
    for fields in ({}, {"store": False, "include": [ENCRYPTED]}):
        first = respond(client, tools=[TOOL], tool_choice="required", **fields)
        output = {"type": "function_call_output", "call_id": first.output[1].call_id,
                  "output": "done"}  # fmt: skip
        items = [item.to_dict() for item in first.output]
        assert respond(client, *items, output, tools=[TOOL], **fields).output_text


def refused(client, *items, **fields):
    with pytest.raises(openai.APIStatusError) as caught:
        respond(client, *items, **fields)
    return caught.value.status_code, caught.value.body


def test_reasoning_that_nobody_knows_or_that_was_changed_is_refused(client):
    unknown = {"type": "reasoning", "id": "rs_x", "summary": []}
    status, error = refused(client, unknown, {"role": "assistant", "content": "x"})
    assert (status, error["message"]) == (404, "Item with id 'rs_x' not found.")
    _, error = refused(client, unknown, store=False)
    assert error["message"].startswith("Item with id 'rs_x' not found. Items are not persisted")
    status, error = refused(client, {**unknown, "encrypted_content": "gAAAAABwXBV"})
    assert (status, error["code"]) == (400, "invalid_encrypted_content")
    assert error["message"].startswith("The encrypted content gAAA...wXBV could not be verified.")
    assert refused(client, {"type": "reasoning", "id": "rs_x"})[1]["param"] == "input[1].summary"


def test_reasoning_and_what_follows_it_come_back_together(client):
    first = respond(client, tools=[TOOL], tool_choice="required")
    thought, called = (item.to_dict() for item in first.output)
    output = {"type": "function_call_output", "call_id": called["call_id"], "output": "done"}
    status, error = refused(client, called, output)
    assert status == 400
    assert error["message"] == (
        f"Item '{called['id']}' of type 'function_call' was provided without its required "
        f"'reasoning' item: '{thought['id']}'."
    )
    apart = (
        f"Item '{thought['id']}' of type 'reasoning' was provided without its required "
        "following item."
    )
    for items in ([thought], [thought, HELLO], [called, thought, output]):
        assert refused(client, *items)[1]["message"] == apart
    without_id = {key: value for key, value in called.items() if key != "id"}
    assert respond(client, without_id, output).output_text
    assert respond(client, thought, without_id, output).output_text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning": {"effort": "banana"}}, "reasoning.effort"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"include": ["everything"]}, "include[0]"),
    ],
)
def test_words_that_the_provider_does_not_know_are_refused(client, fields, param):
    status, error = refused(client, model="unknown", **fields)
    assert (status, error["param"], error["code"]) == (400, param, "invalid_value")


def test_log_probabilities_are_told_where_they_are_asked_for_and_refused_with_reasoning(client):
    fields = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    answer = respond(client, model="gpt-4o", **fields)
    logprobs = answer.output[0].content[0].logprobs
    assert "".join(one.token for one in logprobs) == answer.output_text
    assert [len(one.top_logprobs) for one in logprobs] == [2, 2]
    assert respond(client, model="gpt-4o").output[0].content[0].logprobs == []
    with client.responses.stream(model="gpt-4o", input="hello", **fields) as stream:
        deltas = [event for event in stream if event.type == "response.output_text.delta"]
    assert [delta.logprobs[0].token for delta in deltas] == [delta.delta for delta in deltas]
    status, error = refused(client, include=fields["include"])
    assert (status, error["message"]) == (400, "logprobs are not supported with reasoning models.")
