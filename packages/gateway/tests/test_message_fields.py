"""What Anthropic refuses of a request for a message, for every model or for some.

Users of the API report the texts on schemas, models, prefill and `Unexpected role`; the others are
in the form of such reports.
"""

import pytest

USER, ASSISTANT = ({"role": role, "content": "x"} for role in ("user", "assistant"))
SYSTEM = {"role": "system", "content": "be kind"}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OPEN, "additionalProperties": False}


def formed(schema):
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"service_tier": "banana"}, "service_tier: Input should be 'auto' or 'standard_only'"),
        ({"output_config": {"effort": "banana"}},
         "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"),
        ({"output_config": {"format": {"type": "json"}}},
         "output_config.format.type: Input should be 'json_schema'"),
        ({"output_config": {"format": "json"}},
         "output_config.format: Input should be a valid dictionary"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id: Input should be a valid string"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"top_k": -1}, "top_k: Input should be between"),
        ({"temperature": True}, "temperature: Input should be a valid number"),
        ({"stop_sequences": [" "]},
         "stop_sequences: each stop sequence must contain non-whitespace"),
        ({"system": [{"type": "image"}]}, "system.0.type: Input should be 'text'"),
        ({"tool_choice": {"type": "any"}},
         "tool_choice: tool_choice may only be specified while providing tools"),
        (formed(OPEN), "output_config.format.schema: For 'object' type, 'additionalProperties' "),
        (formed({**CLOSED, "properties": {"a": {"type": "array", "items": OPEN}}}),
         "output_config.format.schema: For 'object' type, 'additionalProperties' must be"),
        ({"output_format": {"type": "json_schema", "schema": {**OPEN,
          "additionalProperties": True}}},
         "output_format.schema: For 'object' type, 'additionalProperties: true' is not supported."),
        ({"output_config": {"format": {"type": "json_schema"}}},
         "output_config.format.schema: Field required"),
        ({"messages": [SYSTEM, USER]}, 'messages: Unexpected role "system". The Messages API '),
        ({"messages": [USER, ASSISTANT, SYSTEM]}, "messages.2.role: "),
        ({"messages": [USER, SYSTEM, USER]}, "messages.1.role: "),
        ({"messages": [USER, SYSTEM, SYSTEM]}, "messages.1.role: "),
        ({"messages": [USER, {**ASSISTANT, "content": "x "}]},
         "messages: final assistant content cannot end with trailing whitespace"),
        ({"messages": [USER, {**ASSISTANT, "content": [{"type": "text", "text": "x\n"}]}]},
         "messages: final assistant content cannot end with trailing whitespace"),
    ],
)  # fmt: skip
def test_what_the_provider_refuses_is_refused(ask_message, fields, problem):
    answer = ask_message(**fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(problem)


@pytest.mark.parametrize(
    "fields",
    [
        {"service_tier": "auto", "output_config": {"effort": "xhigh"}, "top_k": 5},
        formed({**CLOSED, "properties": {"object": {"enum": [{"type": "object"}]}}}),
        {"messages": [USER, SYSTEM]}, {"messages": [USER, SYSTEM, ASSISTANT, USER]},
        {"messages": [USER, ASSISTANT]}, {"metadata": {"user_id": "u"}},
        {"model": "claude-opus-4-8", "temperature": 1},
        {"model": "claude-sonnet-4-5", "top_p": 0.5},
        {"model": "claude-3-haiku-20240307", "max_tokens": 4096},
    ],
)  # fmt: skip
def test_what_the_provider_takes_is_answered(ask_message, fields):
    assert ask_message(**fields).status_code == 200


def test_an_instruction_amid_the_conversation_is_one_for_scripts(ask_message, gateway):
    gateway.when(system="be kind").reply("kindly")
    assert ask_message(messages=[USER, SYSTEM]).json()["content"][0]["text"] == "kindly"


@pytest.mark.parametrize(
    ("model", "fields", "problem"),
    [
        ("claude-3-5-sonnet-latest", {"max_tokens": 9000},
         "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens for cla"),
        ("claude-opus-4-1", {"system": "word " * 200_000},
         "prompt is too long: 200001 tokens > 200000 maximum"),
        ("claude-sonnet-4-5-20250929", {"temperature": 1, "top_p": 1},
         "`temperature` and `top_p` cannot both be specified for this model. Please use only"),
        ("claude-opus-5", {"temperature": 0}, "`temperature` is deprecated for this model."),
        ("claude-opus-4-6", {"messages": [USER, ASSISTANT]},
         "This model does not support assistant message prefill. The conversation must end"),
    ],
)  # fmt: skip
def test_what_a_model_does_not_take_is_refused(ask_message, model, fields, problem):
    answer = ask_message(model=model, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(problem)
