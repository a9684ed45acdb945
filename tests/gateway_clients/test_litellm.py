"""LiteLLM with its default settings, and fifty tests at once through it."""

from concurrent.futures import ThreadPoolExecutor

import litellm
import pytest

HELLO = [{"role": "user", "content": "hello"}]


def ask(server, namespace, model="m", **fields):
    return litellm.completion(
        model=f"openai/{model}",
        messages=fields.pop("messages", HELLO),
        api_base=fields.pop("api_base", f"{server}/t/{namespace}/v1"),
        api_key=fields.pop("api_key", "sk-any"),
        **fields,
    )


@pytest.fixture
def said(server, gateway):
    def run(model="m", **fields):
        return ask(server, gateway.namespace, model, **fields)

    return run


def test_chat_plain_and_streamed(said):
    assert said().choices[0].message.content == "echo: hello"
    chunks = list(said(stream=True))
    assert "".join(one.choices[0].delta.content or "" for one in chunks) == "echo: hello"


def test_tools_and_structured_output(said):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    answer = said(tools=[tool], tool_choice="required")
    assert answer.choices[0].message.tool_calls[0].function.name == "f"
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": {"a": 1}}}}
    assert said(response_format=schema).choices[0].message.content == '{"a": 1}'


def test_embeddings_responses_text_completions_and_moderations(server, gateway):
    where = {"api_base": gateway.openai_base_url, "api_key": "sk-any"}
    vectors = litellm.embedding(model="openai/e", input=["a", "b"], **where)
    assert len(vectors.data) == 2
    response = litellm.responses(model="openai/m", input="hello", **where)
    assert response.output[0].content[0].text == "echo: hello"
    text = litellm.text_completion(model="text-completion-openai/m", prompt="hello", **where)
    assert text.choices[0].text == "echo: hello"
    assert not litellm.moderation(input="x", model="m", **where).results[0].flagged


def test_anthropics_dialect(server, gateway):
    answer = litellm.completion(
        model="anthropic/claude-x", messages=HELLO, api_key="sk-any", max_tokens=20,
        api_base=f"{server}/t/{gateway.namespace}",
    )  # fmt: skip
    assert answer.choices[0].message.content == "echo: hello"


def test_one_500_is_hidden_with_two_requests_unless_it_is_meant_to_surface(gateway, said):
    assert said("m-fail-once-attempt-x").choices
    assert [one.status for one in gateway.requests()] == [500, 200]
    with pytest.raises(litellm.InternalServerError):
        said("m-fail-once-x")
    assert len(gateway.requests()) == 3


def test_always_failing_calls_are_tried_three_times(gateway, said):
    with pytest.raises(litellm.InternalServerError):
        said("m-always-fail-attempt-x")
    assert len(gateway.requests()) == 3
    assert gateway.verdicts()[0].client_amplification == 3.0


def test_a_400_surfaces(said):
    with pytest.raises(litellm.BadRequestError):
        said("m-http400-x")


@pytest.mark.parametrize("fields", [{"cut_after": 3}, {"error_after": 3}, {"malformed_after": 2}])
def test_a_broken_stream_is_an_error(gateway, said, fields):
    gateway.when().reply("one two three", **fields)
    with pytest.raises(litellm.exceptions.MidStreamFallbackError):
        list(said(stream=True))


def test_a_clean_end_without_a_reason_is_an_error(said):
    with pytest.raises(litellm.exceptions.MidStreamFallbackError, match="finish_reason"):
        list(said("m-eof-x", stream=True))


def test_fifty_tests_at_once_each_see_their_own_failure_and_no_other(server):
    def one(number):
        outcomes = []
        for _ in range(3):
            try:
                ask(server, "", "m-fail-once-x", api_base=f"{server}/v1",
                    api_key=f"sk-e2e-litellm-{number}")  # fmt: skip
                outcomes.append("ok")
            except litellm.InternalServerError:
                outcomes.append("failed")
        return outcomes

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(one, range(50))) == [["failed", "ok", "ok"]] * 50


def test_a_name_alone_leads_through_a_queue_to_its_own_namespace(server, gateway):
    with pytest.raises(litellm.InternalServerError):
        ask(server, "", f"m-fail-once-{gateway.namespace}", api_base=f"{server}/v1")
    gateway.assert_fault_reached_app()
