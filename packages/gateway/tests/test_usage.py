"""What the gateway says of tokens: sums, scripted counts, and what OpenAI would have cached.

Lengths, steps and breakpoints of the cache are those of OpenAI's guide "Prompt caching"; counts of
a real call of gpt-5.6 were reported (3,438 tokens: 3,435 written, then 3,423 read and 12 written).
"""

import pytest
from packages.gateway.tests.rig import ask

LONG = " ".join(f"word{at}" for at in range(1500))
OLDER, NEWER = "gpt-4o", "gpt-5.6"


def test_the_total_is_the_sum_of_scripted_counts(gateway, client):
    gateway.when().reply("hi", usage={"prompt_tokens": 10, "completion_tokens": 5,
                                      "cached_tokens": 7, "reasoning_tokens": 3})  # fmt: skip
    chat = ask(client).usage
    assert (chat.prompt_tokens, chat.completion_tokens, chat.total_tokens) == (10, 5, 15)
    assert chat.prompt_tokens_details.cached_tokens == 7
    assert chat.completion_tokens_details.reasoning_tokens == 3
    response = client.responses.create(model="m", input="hello").usage
    assert (response.input_tokens, response.output_tokens, response.total_tokens) == (10, 5, 15)
    assert response.input_tokens_details.cached_tokens == 7
    assert response.input_tokens_details.cache_write_tokens == 0
    assert response.output_tokens_details.reasoning_tokens == 3


def test_a_scripted_total_stays_and_unknown_counts_are_refused(gateway, client):
    gateway.when().reply("hi", usage={"total_tokens": 99}, times=1)
    assert ask(client).usage.total_tokens == 99
    gateway.when().reply("hi", usage={"input_tokens": 10, "output_tokens": 5}, times=2)
    assert ask(client).usage.total_tokens == 15
    response = client.responses.create(model="m", input="hello").usage
    assert (response.input_tokens, response.output_tokens, response.total_tokens) == (10, 5, 15)
    for usage in ({"tokens": 1}, {"cached_tokens": -1}, {"cached_tokens": "many"}, [1]):
        with pytest.raises(ValueError, match="usage"):
            gateway.when().reply("hi", usage=usage)


def chat_counts(client, *texts, model=OLDER, **fields):
    messages = [{"role": "user", "content": text} for text in texts]
    answer = client.chat.completions.create(model=model, messages=messages, **fields)
    details = answer.usage.prompt_tokens_details
    return details.cached_tokens, details.cache_write_tokens


def response_counts(client, *texts, model=NEWER, **fields):
    items = [{"role": "user", "content": text} for text in texts]
    details = client.responses.create(model=model, input=items, **fields).usage.input_tokens_details
    return details.cached_tokens, details.cache_write_tokens


def test_older_models_read_what_was_sent_before_in_steps_and_tell_no_writes(client):
    assert chat_counts(client, LONG) == (0, None)
    assert chat_counts(client, LONG, "and now?") == (1408, None)
    assert chat_counts(client, LONG[:-4] + "x y z") == (1408, None)
    assert chat_counts(client, "Say: " + LONG) == (0, None)
    assert response_counts(client, LONG, model=OLDER)[1] == 0
    short = " ".join(LONG.split()[:1023])
    assert [chat_counts(client, short) for _ in range(2)] == [(0, None)] * 2


def test_newer_models_write_up_to_the_end_of_the_prompt_and_read_up_to_such_an_end(client):
    assert response_counts(client, LONG) == (0, 1500)
    assert response_counts(client, LONG, "and now?") == (1500, 2)
    assert response_counts(client, LONG, "or then?") == (1500, 2)
    assert response_counts(client, LONG + " tail") == (0, 1501)
    other = LONG.replace("word", "term")
    assert response_counts(client, other, "and now?") == (0, 1502)
    assert response_counts(client, other, "or then?") == (0, 1502)
    assert response_counts(client, "short") == (0, 0)
    assert chat_counts(client, LONG, model=NEWER) == (1500, 0)  # the API makes no difference


def test_breakpoints_can_be_explicit(client):
    part = {"type": "input_text", "text": LONG, "prompt_cache_breakpoint": {"mode": "explicit"}}
    tail = {"type": "input_text", "text": "and now?"}
    options = {"extra_body": {"prompt_cache_options": {"mode": "explicit"}}}
    assert response_counts(client, [part, tail], **options) == (0, 1500)
    assert response_counts(client, [part, {**tail, "text": "or then?"}], **options) == (1500, 0)
    assert response_counts(client, [{"type": "input_text", "text": LONG + " x"}], **options) == (
        0,
        0,
    )
    few = {**part, "text": "too few words to be kept"}
    assert response_counts(client, [few, {**tail, "text": LONG}], **options) == (0, 0)


def test_what_changes_a_prompt_is_not_read_from_the_cache(client):
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    other = {"type": "image_url", "image_url": {"url": "https://example.org/b.png"}}
    text = {"type": "text", "text": LONG}
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert chat_counts(client, [image, text]) == (0, None)
    assert chat_counts(client, [other, text]) == (0, None)
    assert chat_counts(client, [image, text], tools=tools) == (0, None)
    assert chat_counts(client, [image, text], model="gpt-4.1") == (0, None)
    assert chat_counts(client, [image, text], prompt_cache_key="other") == (0, None)
    assert chat_counts(client, [image, text]) == (1408, None)


def test_a_conversation_is_read_from_the_cache_as_far_as_it_has_come(client):
    first = client.responses.create(model=NEWER, input=LONG)
    second = client.responses.create(model=NEWER, input="go on", previous_response_id=first.id)
    read = second.usage.input_tokens_details
    assert read.cached_tokens == 1500
    assert read.cache_write_tokens == second.usage.input_tokens - 1500


@pytest.mark.parametrize(
    ("model", "fields", "seconds"),
    [
        (OLDER, {"prompt_cache_retention": "in_memory"}, 3600),
        (OLDER, {}, 24 * 3600),
        (NEWER, {}, 1800),
    ],
)
def test_the_cache_forgets_when_its_time_is_over(gateway, client, model, fields, seconds):
    chat_counts(client, LONG, model=model, **fields)
    gateway.advance_clock(seconds - 2)
    assert chat_counts(client, LONG, model=model, **fields)[0] > 1400
    gateway.advance_clock(seconds)
    assert chat_counts(client, LONG, model=model, **fields)[0] == 0


def test_a_stream_tells_the_same_counts(client):
    chat_counts(client, LONG)
    stream = ask(client, LONG, model=OLDER, stream=True, stream_options={"include_usage": True})
    assert list(stream)[-1].usage.prompt_tokens_details.cached_tokens == 1408
