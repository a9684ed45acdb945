"""What a provider refuses for some models only; texts and codes as users of the API report them."""

import openai
import pytest

from stackproof_gateway.model_rules import NO_RULES, load_rules
from stackproof_gateway.provider.prices import load_prices
from stackproof_gateway.strict_fields import ScriptError

HELLO = [{"role": "user", "content": "hello"}]
UNSUPPORTED = "Unsupported parameter: '{}' is not supported with this model."


def chat(client, model, **fields):
    return client.chat.completions.create(model=model, **{"messages": HELLO, **fields})


@pytest.mark.parametrize(
    ("model", "fields", "message", "code"),
    [
        ("o4-mini", {"max_tokens": 9},
         f"{UNSUPPORTED.format('max_tokens')} Use 'max_completion_tokens' instead.",
         "unsupported_parameter"),
        ("gpt-5.4", {"max_tokens": 9},
         f"{UNSUPPORTED.format('max_tokens')} Use 'max_completion_tokens' instead.",
         "unsupported_parameter"),
        ("o3-mini", {"temperature": 1}, UNSUPPORTED.format("temperature"), "unsupported_parameter"),
        ("gpt-5-mini", {"temperature": 0}, ("Unsupported value: 'temperature' does not support 0 "
         "with this model. Only the default (1) value is supported."), "unsupported_value"),
        ("gpt-5", {"top_p": 0.5}, UNSUPPORTED.format("top_p"), "unsupported_parameter"),
        ("o1", {"reasoning_effort": "minimal"}, ("Unsupported value: 'reasoning_effort' does not "
         "support 'minimal' with this model. Supported values are: 'low', 'medium', and 'high'."),
         "unsupported_value"),
        ("gpt-4o", {"max_tokens": 16385}, ("max_tokens is too large: 16385. This model supports at "
         "most 16384 completion tokens, whereas you provided 16385."), "invalid_value"),
    ],
)  # fmt: skip
def test_a_model_refuses_what_it_does_not_take(client, model, fields, message, code):
    (param,) = fields
    for name in (model, f"{model}-2025-08-07", f"{model}-ns-{client.base_url.path.split('/')[2]}"):
        with pytest.raises(openai.BadRequestError) as caught:
            chat(client, name, **fields)
        error = caught.value
        assert (error.body["message"], error.param, error.code) == (message, param, code)


def test_a_model_that_does_not_reason_does_not_know_the_effort(client):
    with pytest.raises(openai.BadRequestError, match="Unrecognized request argument supplied: re"):
        chat(client, "gpt-4o", reasoning_effort="low")
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, "gpt-4.1", reasoning={"effort": "low"})
    assert (caught.value.param, caught.value.code) == ("reasoning.effort", "unsupported_parameter")


def respond(client, model, **fields):
    return client.responses.create(model=model, **{"input": "hello", **fields})


def test_a_response_refuses_it_without_a_code(client):
    with pytest.raises(openai.BadRequestError) as caught:
        respond(client, "gpt-5", temperature=0.5)
    error = caught.value
    wanted = UNSUPPORTED.format("temperature"), "temperature", None
    assert (error.body["message"], error.param, error.code) == wanted


def test_no_model_has_an_effort_that_is_no_word_of_the_provider(client):
    with pytest.raises(openai.BadRequestError, match="banana") as caught:
        chat(client, "m", extra_body={"reasoning_effort": "banana"})
    assert (caught.value.param, caught.value.code) == ("reasoning_effort", "invalid_value")
    with pytest.raises(openai.BadRequestError, match="banana") as caught:
        respond(client, "m", extra_body={"reasoning": {"effort": "banana"}})
    assert caught.value.param == "reasoning.effort"


def test_what_a_model_takes_is_answered_and_an_unknown_model_takes_all(client):
    assert chat(client, "gpt-5", temperature=1, reasoning_effort="minimal").choices
    assert chat(client, "gpt-5", max_completion_tokens=9).choices
    assert chat(client, "gpt-4o", temperature=0, max_tokens=9).choices
    assert chat(client, "m", temperature=0, max_tokens=10**6, reasoning_effort="low").choices
    assert chat(client, "gpt-5-chat-latest", temperature=0).choices


def test_what_is_longer_than_the_context_is_refused(client):
    text = "word " * 128_001
    with pytest.raises(openai.BadRequestError, match="resulted in 128001 tokens") as caught:
        chat(client, "gpt-4o", messages=[{"role": "user", "content": text}])
    assert (caught.value.param, caught.value.code) == ("messages", "context_length_exceeded")
    with pytest.raises(openai.BadRequestError, match="exceeds the context window") as caught:
        respond(client, "gpt-4o", input=text)
    assert (caught.value.param, caught.value.code) == ("input", "context_length_exceeded")


def embed(client, model, text="hello", **fields):
    return client.embeddings.create(model=model, input=text, **fields).data[0].embedding


@pytest.mark.parametrize(
    ("model", "dimensions"),
    [("text-embedding-3-large", 3072), ("text-embedding-3-small", 1536),
     ("text-embedding-ada-002", 1536), ("e", 1536)],
)  # fmt: skip
def test_an_embedding_is_as_long_as_its_model_makes_it(client, model, dimensions):
    assert len(embed(client, model)) == dimensions


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        ("text-embedding-ada-002", {"dimensions": 512},
         "This model does not support specifying dimensions."),
        ("text-embedding-3-large", {"dimensions": 3073},
         "Invalid value for 'dimensions' = 3073. Must be less than or equal to 3072."),
        # reported with this text in 2026; whether it has a param is not
        ("text-embedding-3-small", {"text": "word " * 8193},
         "Invalid 'input[0]': maximum input length is 8192 tokens."),
    ],
)  # fmt: skip
def test_an_embedding_that_its_model_does_not_make_is_refused(client, model, fields, message):
    with pytest.raises(openai.BadRequestError) as caught:
        embed(client, model, **fields)
    assert caught.value.body["message"] == message
    assert len(embed(client, "text-embedding-3-large", dimensions=256)) == 256


OWN = """
families:
  gpt-5:
    checked: 2026-11-26
    models: [gpt-5]
  mine:
    checked: 2026-11-26
    models: [house-model, gpt-4o]
    unsupported: [stop]
"""


def test_a_table_of_the_user_adds_families_and_replaces_those_of_the_same_name(tmp_path, serve):
    path = tmp_path / "rules.yaml"
    path.write_text(OWN)
    with serve(model_rules=path) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x") as client:
        assert chat(client, "gpt-5", temperature=0, max_tokens=9).choices
        for model in ("house-model", "gpt-4o"):
            with pytest.raises(openai.BadRequestError, match="'stop' is not supported"):
                chat(client, model, stop="x")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("families: {a: {models: [x]}}", "`checked` is missing"),
        ("families: {a: {checked: 2026-11-26}}", "`models` is missing"),
        ("families: {a: {checked: soon, models: [x]}}", "expected the day"),
        ("families:\n  a:\n    checked: 2026-11-26\n    models: [x]\n    unsuported: [stop]",
         r"rules.yaml, line 5: families\.a\.unsuported: unknown key .*did you mean `unsupported`"),
        ("families: {a: {checked: 2026-11-26, models: [x], only: {temperature: }}}", "got nothing"),
        ("families: {a: {checked: 2026-11-26, models: [1]}}", "a list of words"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_an_error_with_its_line(tmp_path, text, problem):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ScriptError, match=problem):
        load_rules(path)


def test_the_tables_of_rules_and_prices_agree():
    prices, rules = load_prices().models, load_rules()
    compared = [
        (price.max_output, rules.of(name).max_output)
        for name, price in prices.items()
        if rules.of(name) is not NO_RULES and rules.of(name).max_output
    ]
    assert compared
    assert all(price == rule for price, rule in compared)
