"""Conversations and their items, and what is asked of an input without an answer.

The texts of refusals were not compared with the provider's.
"""

import openai
import pytest

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def said(text, role="user"):
    return {"role": role, "content": text}


def texts(client, conversation):
    listed = client.conversations.items.list(conversation.id, order="asc")
    return [item.content[0].text for item in listed]


def test_a_conversation_is_made_read_changed_and_deleted(client):
    made = client.conversations.create(items=[said("hello")], metadata={"topic": "a"})
    assert (made.object, made.metadata) == ("conversation", {"topic": "a"})
    assert client.conversations.retrieve(made.id) == made
    changed = client.conversations.update(made.id, metadata={"topic": "b"})
    assert client.conversations.retrieve(made.id) == changed != made
    gone = client.conversations.delete(made.id)
    assert (gone.object, gone.deleted) == ("conversation.deleted", True)
    for ask in (
        lambda: client.conversations.retrieve(made.id),
        lambda: client.conversations.items.list(made.id),
        lambda: client.responses.create(model="m", input="x", conversation=made.id),
    ):
        with pytest.raises(openai.NotFoundError, match=f"Conversation with id '{made.id}' not"):
            ask()


def test_items_are_added_listed_in_pages_read_and_deleted(client):
    made = client.conversations.create()
    added = client.conversations.items.create(made.id, items=[said(str(at)) for at in range(5)])
    assert (added.first_id, added.last_id) == (added.data[0].id, added.data[4].id)
    first = client.conversations.items.list(made.id, limit=2)
    assert [item.content[0].text for item in first.data] == ["4", "3"]
    assert [item.content[0].text for item in first] == ["4", "3", "2", "1", "0"]
    item = client.conversations.items.retrieve(added.data[2].id, conversation_id=made.id)
    assert (item, item.content[0].type) == (added.data[2], "input_text")
    left = client.conversations.items.delete(item.id, conversation_id=made.id)
    assert left == made
    assert texts(client, made) == ["0", "1", "3", "4"]
    with pytest.raises(openai.NotFoundError, match=f"Item with id '{item.id}' not found"):
        client.conversations.items.retrieve(item.id, conversation_id=made.id)


@pytest.mark.parametrize(
    ("items", "param"),
    [([], "items"), ([said("x")] * 21, "items"), ([{"type": "dance"}], "items[0].type")],
)
def test_items_that_the_provider_refuses_are_refused(client, items, param):
    made = client.conversations.create()
    with pytest.raises(openai.BadRequestError) as caught:
        client.conversations.items.create(made.id, items=items)
    assert caught.value.param == param


def test_a_response_goes_on_with_its_conversation_and_adds_to_it(gateway, client):
    made = client.conversations.create(items=[said("My name is Ada.")])
    gateway.when(message="My name is Ada.").reply("Hello Ada")
    for conversation in (made.id, {"id": made.id}):
        answer = client.responses.create(model="m", input="hello", conversation=conversation)
        assert answer.output_text == "Hello Ada"
        assert answer.conversation.id == made.id
    assert texts(client, made) == ["My name is Ada.", *["hello", "Hello Ada"] * 2]
    again = client.responses.create(model="m", input="hello", conversation=made.id, store=False)
    assert again.usage.input_tokens == 4 + 4 * 2 - 1
    assert len(texts(client, made)) == 7


def test_a_streamed_response_is_added_as_well_and_its_calls_wait_for_their_answers(client):
    made = client.conversations.create()
    fields = {"model": "m", "conversation": made.id, "tools": [TOOL]}
    with client.responses.stream(**fields, input="hello", tool_choice="required") as stream:
        called = stream.get_final_response().output[0]
    with pytest.raises(openai.BadRequestError, match="No tool output found for function call"):
        client.responses.create(**fields, input="and now?")
    output = {"type": "function_call_output", "call_id": called.call_id, "output": "done"}
    assert client.responses.create(**fields, input=[output]).output_text
    kinds = [item.type for item in client.conversations.items.list(made.id, order="asc")]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


def test_reasoning_in_a_conversation_is_known_though_its_response_is_not_kept(client):
    first = client.responses.create(model="gpt-5", input="hello", store=False)
    items = [{key: value for key, value in item.to_dict().items() if key != "encrypted_content"}
             for item in first.output]  # fmt: skip
    with pytest.raises(openai.NotFoundError, match="Item with id 'rs_"):
        client.responses.create(model="gpt-5", input=[*items, said("and now?")])
    made = client.conversations.create(items=items)
    kept = [item.to_dict() for item in client.conversations.items.list(made.id, order="asc")]
    assert client.responses.create(model="gpt-5", input=[*kept, said("and now?")]).output_text


def test_a_conversation_goes_on_without_new_input_but_not_beside_a_previous_response(client):
    made = client.conversations.create(items=[said("hello")])
    assert client.responses.create(model="m", conversation=made.id).status == "completed"
    first = client.responses.create(model="m", input="hello")
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(
            model="m", input="x", conversation=made.id, previous_response_id=first.id
        )
    assert caught.value.code == "mutually_exclusive_parameters"
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="m")
    assert caught.value.param == "input"


def test_an_item_of_a_conversation_can_be_referred_to(client):
    made = client.conversations.create(items=[said("hello")])
    item = client.conversations.items.list(made.id).data[0]
    answer = client.responses.create(model="m", input=[{"type": "item_reference", "id": item.id}])
    assert answer.output_text == "echo: hello"


def test_the_tokens_of_an_input_are_counted_as_a_response_would_count_them(client):
    items = [said("one two three"), said("four", role="assistant")]
    counted = client.responses.input_tokens.count(model="m", input=items, instructions="be brief")
    answer = client.responses.create(model="m", input=items, instructions="be brief")
    assert counted.to_dict() == {"object": "response.input_tokens", "input_tokens": 6}
    assert answer.usage.input_tokens == 6
    assert client.responses.input_tokens.count(input="a b").input_tokens == 2
    with pytest.raises(openai.BadRequestError):
        client.responses.input_tokens.count(input=[{"type": "dance"}])


def test_a_compact_conversation_holds_what_the_user_said_and_the_rest_in_one_item(client):
    items = [said("hello"), said("Hello, I am the model.", role="assistant"), said("go on")]
    made = client.responses.compact(model="m", input=items)
    assert made.object == "response.compaction"
    assert [item.content[0].text for item in made.output[:-1]] == ["hello", "go on"]
    assert made.output[-1].type == "compaction"
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens == 13
    # the SDK's type of the output has no messages of the user
    given = [item.model_dump(exclude_unset=True, warnings=False) for item in made.output]
    answer = client.responses.create(model="m", input=[*given, said("and now?")])
    assert (answer.output_text, answer.usage.input_tokens) == ("echo: and now?", 10)
    given[-1]["encrypted_content"] = "x" + given[-1]["encrypted_content"]
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="m", input=given)
    assert caught.value.code == "invalid_encrypted_content"


def test_a_response_can_be_compacted(client):
    first = client.responses.create(model="m", input="hello")
    made = client.responses.compact(model="m", previous_response_id=first.id)
    assert [item.type for item in made.output] == ["message", "compaction"]
