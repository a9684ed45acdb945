"""llama-index, whose own retry layer surrounds that of the openai client."""

import json

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


@pytest.fixture
def _without_pauses(monkeypatch):
    """Both retry layers wait with `time.sleep`; how long is theirs to say."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def test_one_failure_of_a_try_is_hidden_by_the_client_with_two_requests(gateway):
    assert llm(gateway, "m-fail-once-attempt-x").complete("hello").text == "echo: hello"
    assert [one.status for one in gateway.requests()] == [500, 200]
    assert gateway.faults()[0].fault.reached_app == "absorbed"


def test_calls_that_always_fail_are_multiplied_by_both_layers(gateway, _without_pauses):
    with pytest.raises(openai.InternalServerError):
        llm(gateway, "m-always-fail-attempt-x").complete("hello")
    assert len(gateway.requests()) == 12
    (verdict,) = gateway.verdicts()
    assert (verdict.client_amplification, verdict.outer_amplification) == (4.0, 3.0)
    assert verdict.amplification == 12.0


def said(gateway, **fields):
    gateway.when().reply("one two three", **fields)
    return [one.delta for one in llm(gateway).stream_complete("hello")]


def test_a_cut_stream_is_a_raw_error_of_the_transport(gateway):
    with pytest.raises(Exception, match=r"(?i)incomplete|peer closed") as caught:
        said(gateway, cut_after=3)
    assert not isinstance(caught.value, openai.OpenAIError)


def test_an_error_in_mid_stream_is_raised(gateway):
    with pytest.raises(openai.APIError):
        said(gateway, error_after=3)


def test_an_event_that_is_no_json_is_a_raw_error(gateway):
    with pytest.raises(json.JSONDecodeError):
        said(gateway, malformed_after=2)


def test_a_clean_end_without_a_reason_passes_in_silence(gateway):
    assert "".join(said(gateway, ends=False)) == "one two three"
