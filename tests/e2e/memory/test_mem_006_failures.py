"""MEM-006: what fails is an error that names its cause, and the next call works."""

import pytest
from tests.e2e.memory.agents import CLAUDE, GEMINI, GPT, FailedError, RefusedError

pytestmark = pytest.mark.e2e

CHAT = {"output_format": "one line", "session_id": "s"}


@pytest.mark.e2e_llm
@pytest.mark.stack("memory", profiles=["agent"])
def test_a_wrong_call_is_refused_by_name_over_http_and_stdio(http, stdio):
    for agent in (http, stdio):
        with pytest.raises(RefusedError, match="unknown tool: 'chat_with_hal'"):
            agent.call("chat_with_hal")
        with pytest.raises(RefusedError, match="'instructions' is a required property"):
            agent.call(GPT, **CHAT)
        with pytest.raises(RefusedError, match="temperature: 7 is greater than the maximum"):
            agent.call(GPT, instructions="hi", temperature=7, **CHAT)
        with pytest.raises(FailedError, match=r"there is no file gone\.md"):
            agent.call(GPT, instructions="hi", context=["gone.md"], **CHAT)
        with pytest.raises(FailedError, match="no file can be called"):
            agent.call(GPT, instructions="hi", context=["a\0b"], **CHAT)
        with pytest.raises(FailedError, match="outside the project's folder"):
            agent.call(GPT, instructions="hi", context=["../etc/passwd"], **CHAT)
        assert agent.call("list_sessions")["sessions"] == []


@pytest.mark.stack("memory", env={"server": {"PROVIDER_TIMEOUT_SECONDS": "2"}})
@pytest.mark.parametrize("tool", [GPT, GEMINI, CLAUDE])
def test_a_provider_that_fails_is_named_and_the_next_call_works(project, provider, http, tool):
    name = {GPT: "openai", GEMINI: "gemini", CLAUDE: "anthropic"}[tool]
    when = provider.gateway.when(text="Fail.")
    for status, told in [(401, {}), (429, {"retry_after": 7}), (500, {})]:
        when.fail(status, times=1, **told)
        failed = failure(project, tool)
        assert failed["code"] == f"STATUS_{status}"
        assert failed["provider"] == name
        assert failed.get("retry_after") == told.get("retry_after")
    when.reply("late", delay=4, times=1)
    assert failure(project, tool)["code"] == "TIMEOUT"
    when.reply("a long answer that is cut in the middle", cut_after=3, times=1)
    failed = failure(project, tool)
    assert failed["provider"] == name
    assert "connection has failed" in failed["message"]
    when.fail(400, times=1, message="maximum context length exceeded")
    assert "maximum context length exceeded" in failure(project, tool)["message"]

    assert http.call("list_sessions")["sessions"] == []
    assert project.ask("Fail.", session="s", tool=tool)["text"]


def failure(project, tool):
    """What a failing call tells."""
    with pytest.raises(FailedError) as caught:
        project.ask("Fail.", session="s", tool=tool)
    return caught.value.told
