"""MEM-005: what was told to a model of one provider is known to those of the others."""

import pytest
from tests.e2e.memory.agents import CLAUDE, GEMINI, O4

pytestmark = [pytest.mark.e2e, pytest.mark.e2e_llm, pytest.mark.stack("memory")]


def test_what_one_model_was_told_another_one_knows_and_back(project, provider, http):
    project.ask("The launch code is tangerine.", session="s", tool=O4, reasoning_effort="low")
    project.ask("Repeat the launch code.", session="s", tool=GEMINI, temperature=0)
    assert "The launch code is tangerine." in provider.prompts()[-1]

    project.ask("The launch day is Friday.", session="s", tool=GEMINI)
    project.ask("When is the launch?", session="s", tool=O4)
    assert "The launch day is Friday." in provider.prompts()[-1]
    project.ask("Sum it up.", session="s", tool=CLAUDE)
    assert "The launch code is tangerine." in provider.prompts()[-1]
    models = [said["model"] for said in http.call("describe_session", session_id="s")["messages"]]
    assert models[::2] == [
        "o4-mini", "gemini-2.5-flash", "gemini-2.5-flash", "o4-mini", "claude-sonnet-4-5",
    ]  # fmt: skip

    project.wait_for_summaries("s", 5)
    project.ask("What is the launch code?", session="new", tool=GEMINI)
    assert "<memory>" in provider.prompts()[-1]
