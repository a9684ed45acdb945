"""Thinking in Anthropic's dialect: given on request, scripted, and verified when it comes back.

The refusals are those that users of the API report; which model thinks how is in the table of
rules, from the provider's guides as its users quote them.
"""

import pytest
from packages.gateway.tests.rig import events_of

HELLO = {"role": "user", "content": "hello"}
BUDGET = {"type": "enabled", "budget_tokens": 1024}
ADAPTIVE = {"type": "adaptive"}
TOOLS = [{"name": "weather", "input_schema": {"type": "object"}}]
CALL = [{"name": "weather", "arguments": {"city": "Oslo"}}]


@pytest.fixture
def ask(ask_message):
    """A request for a message whose model thinks."""

    def send(*messages, thinking=BUDGET, **fields):
        fields |= {"thinking": thinking} if thinking else {}
        return ask_message(*messages, max_tokens=2000, **fields)

    return send


def blocks(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["content"]


def refusal(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]["message"]


def result(*blocks):
    return {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "21 degrees"}
        for block in blocks if block["type"] == "tool_use"]}  # fmt: skip


@pytest.mark.parametrize("thinking", [BUDGET, ADAPTIVE, {**ADAPTIVE, "display": "summarized"}])
def test_who_lets_the_model_think_gets_its_thoughts(ask, thinking):
    thought, text = blocks(ask(thinking=thinking))
    assert (thought["type"], thought["thinking"]) == ("thinking", "thinking of: hello")
    assert thought["signature"]
    assert text == {"type": "text", "text": "echo: hello"}


@pytest.mark.parametrize("thinking", [None, {"type": "disabled"}, {"type": "between_tools"}])
def test_nobody_else_gets_any_even_from_a_script(ask, gateway, thinking):
    gateway.when().reply("yes", reasoning="it is so")
    answer = ask(thinking=thinking)
    assert blocks(answer) == [{"type": "text", "text": "yes"}]
    assert "output_tokens_details" not in answer.json()["usage"]


def test_a_script_says_what_the_model_thinks(ask, gateway):
    gateway.when(text="why").reply("Rain.", reasoning=["wet street", {"redacted": "a secret"}])
    gateway.when().reply(reasoning=[])
    thought, hidden, text = blocks(ask({"role": "user", "content": "why"}))
    assert (thought["thinking"], text["text"]) == ("wet street", "Rain.")
    assert hidden["type"] == "redacted_thinking"
    assert "secret" not in hidden["data"]
    assert blocks(ask()) == [{"type": "text", "text": "echo: hello"}]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ({"reasoning": 7}, "expected a text or a list of texts"),
        ({"reasoning": [{"text": "x"}]}, "unknown key `text`"),
        ({"reasoning": [{}]}, "expected a text, or `redacted` with one"),
        ({"reasoning": "x", "error": {"status": 500}}, "`error` and `reasoning`"),
    ],
)  # fmt: skip
def test_a_script_with_other_thoughts_is_refused(gateway, reply, problem):
    with pytest.raises(ValueError, match=problem):
        gateway.when().reply(**reply)


def test_thoughts_count_as_output(ask, gateway):
    gateway.when().reply("one two", reasoning="three more words")
    usage = ask().json()["usage"]
    assert (usage["output_tokens"], usage["output_tokens_details"]) == (5, {"thinking_tokens": 3})
    assert gateway.requests()[-1].usage["reasoning_tokens"] == 3


def test_a_stream_brings_thoughts_in_pieces_and_then_their_signature(ask, gateway):
    gateway.when().reply("yes", reasoning=["it is", {"redacted": "x"}])
    plain = blocks(ask())
    seen = events_of(ask(stream=True))
    begun = [event["content_block"] for event in seen if event["type"] == "content_block_start"]
    assert begun == [
        {"type": "thinking", "thinking": "", "signature": ""}, plain[1],
        {"type": "text", "text": ""},
    ]  # fmt: skip
    deltas = [event["delta"] for event in seen if event["type"] == "content_block_delta"]
    assert deltas == [
        {"type": "thinking_delta", "thinking": "it"},
        {"type": "thinking_delta", "thinking": " is"},
        {"type": "signature_delta", "signature": plain[0]["signature"]},
        {"type": "text_delta", "text": "yes"},
    ]
    assert seen[-2]["usage"]["output_tokens_details"] == {"thinking_tokens": 3}


def test_thoughts_that_are_not_to_be_shown_have_a_signature_alone(ask):
    hidden = {**ADAPTIVE, "display": "omitted"}
    thought, _ = blocks(ask(thinking=hidden))
    assert (thought["thinking"], bool(thought["signature"])) == ("", True)
    deltas = [event["delta"]["type"] for event in events_of(ask(thinking=hidden, stream=True))
              if event["type"] == "content_block_delta"]  # fmt: skip
    assert deltas[0] == "signature_delta"
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "x"}]}
    assert blocks(ask(HELLO, said, HELLO))


@pytest.mark.parametrize("thinking", [BUDGET, ADAPTIVE])
def test_a_loop_of_tools_that_gives_the_thoughts_back_goes_on(ask, gateway, thinking):
    gateway.when(tool_result="21").reply("It is 21 degrees.")
    gateway.when().reply(tool_calls=CALL, reasoning=["ask", {"redacted": "x"}])
    first = blocks(ask(tools=TOOLS, thinking=thinking))
    assert [block["type"] for block in first] == ["thinking", "redacted_thinking", "tool_use"]
    said = {"role": "assistant", "content": first}
    answer = ask(HELLO, said, result(*first), tools=TOOLS, thinking=thinking)
    assert blocks(answer)[-1]["text"] == "It is 21 degrees."


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda first: [{**first[0], "thinking": "other"}, *first[1:]],
         "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (lambda first: [{**first[0], "signature": "RXJ"}, *first[1:]],
         "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (lambda first: [{**first[0], "signature": ""}, *first[1:]],
         "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (lambda first: [{"type": "thinking", "thinking": "ask"}, *first[1:]],
         "messages.1.content.0.thinking.signature: Field required"),
        (lambda first: [first[0], {**first[1], "data": first[0]["signature"]}, first[2]],
         "messages.1.content.1: Invalid `data` in `redacted_thinking` block"),
        (lambda first: first[2:],
         "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool"),
        (lambda first: [{"type": "text", "text": "hm"}, *first],
         "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`"),
    ],
)  # fmt: skip
def test_thoughts_that_come_back_otherwise_are_refused(ask, gateway, change, problem):
    gateway.when().reply(tool_calls=CALL, reasoning=["ask", {"redacted": "x"}])
    first = blocks(ask(tools=TOOLS))
    said = {"role": "assistant", "content": change(first)}
    assert refusal(ask(HELLO, said, result(*first), tools=TOOLS)).startswith(problem)


@pytest.mark.parametrize("thinking", [BUDGET, ADAPTIVE])
@pytest.mark.parametrize("kept", [[0], [1], [1, 0], [0, 1, 0]])
def test_thoughts_that_come_back_in_part_or_in_another_order_are_refused(
    ask, gateway, thinking, kept
):
    gateway.when().reply(tool_calls=CALL, reasoning=["ask", {"redacted": "x"}])
    first = blocks(ask(tools=TOOLS, thinking=thinking))
    said = {"role": "assistant", "content": [*(first[at] for at in kept), first[2]]}
    problem = refusal(ask(HELLO, said, result(*first), tools=TOOLS, thinking=thinking))
    assert problem == (
        f"messages.1.content.{len(kept)}: `thinking` or `redacted_thinking` blocks in the latest "
        "assistant message cannot be modified. These blocks must remain as they were in the "
        "original response."
    )


def test_a_user_has_no_thoughts(ask):
    (thought, _) = blocks(ask())
    problem = refusal(ask({"role": "user", "content": [thought]}))
    assert problem == "messages.0.content.0: `thinking` blocks can only be in `assistant` messages"


def test_in_adaptive_mode_a_turn_may_begin_without_a_thought(ask, gateway):
    gateway.when(tool_result="21").reply("yes")
    gateway.when().reply(tool_calls=CALL, reasoning=[])
    first = blocks(ask(tools=TOOLS, thinking=ADAPTIVE))
    said = {"role": "assistant", "content": first}
    assert blocks(ask(HELLO, said, result(*first), tools=TOOLS, thinking=ADAPTIVE))


def test_the_loop_may_have_further_steps_without_thoughts(ask, gateway):
    gateway.when(call=1).reply(tool_calls=CALL)
    gateway.when().reply(tool_calls=CALL, reasoning=[])
    first = blocks(ask(tools=TOOLS))
    history = [HELLO, {"role": "assistant", "content": first}, result(*first)]
    second = blocks(ask(*history, tools=TOOLS))
    assert [block["type"] for block in second] == ["tool_use"]
    history += [{"role": "assistant", "content": second}, result(*second)]
    assert blocks(ask(*history, tools=TOOLS))


@pytest.mark.parametrize(
    ("model", "thinking", "problem"),
    [
        ("claude-3-5-sonnet-20241022", BUDGET,
         "'claude-3-5-sonnet-20241022' does not support thinking."),
        ("claude-haiku-4-5", ADAPTIVE, "adaptive thinking is not supported on this model"),
        ("claude-opus-5", BUDGET, '"thinking.type.enabled" is not supported for this model.'),
        ("m", {**ADAPTIVE, "display": "loud"}, "thinking.adaptive.display: Input should be "),
    ],
)  # fmt: skip
def test_thinking_that_a_model_does_not_have_is_refused(ask, model, thinking, problem):
    assert refusal(ask(model=model, thinking=thinking)).startswith(problem)


@pytest.mark.parametrize(
    ("model", "thinking", "types", "shown"),
    [
        ("claude-3-haiku-20240307", None, ["text"], None),
        ("claude-opus-4-8", None, ["text"], None),
        ("claude-opus-4-8", ADAPTIVE, ["thinking", "text"], False),
        ("claude-opus-5", None, ["thinking", "text"], False),
        ("claude-opus-5", {"type": "disabled"}, ["text"], None),
        ("claude-opus-4-6", ADAPTIVE, ["thinking", "text"], True),
        ("claude-sonnet-4-5-20250929", BUDGET, ["thinking", "text"], True),
    ],
)  # fmt: skip
def test_models_think_and_show_it_as_the_table_says(ask, model, thinking, types, shown):
    found = blocks(ask(model=model, thinking=thinking))
    assert [block["type"] for block in found] == types
    assert shown is None or bool(found[0]["thinking"]) == shown
