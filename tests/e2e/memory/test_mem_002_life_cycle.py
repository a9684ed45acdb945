"""MEM-002: what was said is summed up afterwards, and recalled in another session."""

import pytest
from tests.e2e.memory.agents import FailedError

pytestmark = [pytest.mark.e2e, pytest.mark.stack("memory")]

DECISION = "The billing service uses PostgreSQL 16, because of its partitions."
QUESTION = "Which database does the billing service use?"


@pytest.mark.e2e_llm
def test_a_summary_is_stored_and_recalled_in_a_new_session(project, provider):
    project.ask(f"Note this decision: {DECISION}", session="monday")
    (summary,) = project.wait_for_summaries("monday", 1)

    assert [found["text"] for found in project.found("billing database")] == [summary["text"]]
    project.ask(QUESTION, session="tuesday")
    assert f"<memory>\\n{summary['text'][:20]}" in provider.prompts()[-1]

    project.wait_for_summaries("tuesday", 1)
    assert len(provider.summaries()) == 2
    assert "<question>\\n<memory>" not in provider.summaries()[-1], "a summary sums up a summary"


def test_another_session_sees_nothing_of_what_was_said(project, provider, http):
    project.ask(f"Note this decision: {DECISION}", session="monday")
    project.ask("Go on.", session="monday")
    assert DECISION in provider.prompts()[-1]

    project.ask("Name a colour.", session="tuesday")
    assert DECISION not in provider.prompts()[-1]
    assert len(http.call("describe_session", session_id="tuesday")["messages"]) == 2
    with pytest.raises(FailedError, match="SESSION_NOT_FOUND"):
        http.call("describe_session", session_id="wednesday")


def test_a_summary_that_fails_is_written_again(project, provider):
    provider.gateway.when(text="Summarize the exchange").fail(500, times=2)
    project.ask(f"Note this decision: {DECISION}", session="monday")

    (summary,) = project.wait_for_summaries("monday", 1)

    assert summary["tries"] == 3
    assert len(project.found("billing")) == 1


def test_a_summary_survives_the_death_of_the_server_and_is_stored_once(stack, project, provider):
    provider.gateway.when(text="Summarize the exchange").reply(hold="summary", times=1)
    project.ask(f"Note this decision: {DECISION}", session="monday")
    stack.wait_until(
        lambda: [call for call in provider.gateway.requests() if "Summarize" in str(call.request)],
        timeout=60,
        what="the summary is being written",
    )
    stack.service("server").kill()
    provider.gateway.release("summary")
    stack.service("server").start()

    project.wait_for_summaries("monday", 1)
    assert len(project.found("billing")) == 1
