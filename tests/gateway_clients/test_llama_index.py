"""llama-index, whose own retry layer surrounds that of the openai client."""

import openai
import pytest
from llama_index.llms.openai_like import OpenAILike


def llm(gateway, model="m", **fields):
    return OpenAILike(
        model=model,
        api_base=gateway.openai_base_url,
        api_key="sk-any",
        is_chat_model=True,
        **fields,
    )


def test_it_completes_plain_and_streamed(gateway):
    assert llm(gateway).complete("hello").text == "echo: hello"
    *_, last = llm(gateway).stream_complete("hello")
    assert last.text == "echo: hello"


def test_its_outer_layer_hides_a_failure_that_the_client_lets_through(gateway):
    assert llm(gateway, "m-fail-once-x").complete("hello").text == "echo: hello"
    (verdict,) = gateway.verdicts()
    assert (verdict.client_amplification, verdict.outer_amplification) == (1.0, 2.0)


def test_a_status_400_surfaces(gateway):
    with pytest.raises(openai.BadRequestError):
        llm(gateway, "m-http400-x").complete("hello")


def test_without_retries_of_its_own_a_failure_surfaces(gateway):
    with pytest.raises(openai.InternalServerError):
        llm(gateway, "m-fail-once-x", max_retries=0).complete("hello")
    gateway.assert_fault_reached_app()
