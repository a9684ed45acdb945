"""MEM-004: what is longer than the budget is searched, what is just below it is read whole."""

import pytest
from tests.e2e.memory.agents import GPT, O4
from tests.e2e.memory.texts import LIMIT, words

pytestmark = [pytest.mark.e2e, pytest.mark.e2e_llm, pytest.mark.stack("memory")]

NEEDLE = "The password of the lighthouse is heliotrope."


def test_a_context_just_below_the_limit_is_read_whole_and_one_above_is_searched(
    project, provider, http
):
    project.write(large=f"{NEEDLE}\n\n{words(LIMIT - 200)}")
    below = project.ask("What is the password?", session="below", context=["large.md"])
    assert below["inlined"] == ["large.md"]
    assert LIMIT - 200 < below["usage"]["input_tokens"] <= LIMIT
    assert provider.uploads() == 0

    project.wait_for_summaries("below", 1)  # the next question is asked with it
    project.write(large=f"{NEEDLE}\n\n{words(LIMIT)}")
    above = project.ask(
        "What is the password of the lighthouse?", session="above", context=["large.md"]
    )
    assert above["inlined"] == []
    assert above["searched"] == ["large.md"]
    assert above["usage"]["input_tokens"] < LIMIT / 2
    assert NEEDLE in provider.prompts()[-1]


def test_priority_context_is_read_whole_beside_a_context_that_is_searched(project, provider):
    project.write(large=words(LIMIT), rules="Answer in Latin.")
    told = project.ask(
        "What now?",
        session="latin",
        tool=O4,
        context=["large.md"],
        priority_context=["rules.md"],
    )
    assert told["inlined"] == ["rules.md"]
    assert told["searched"] == ["large.md"]
    assert "Answer in Latin." in provider.prompts()[-1]


def test_tokens_are_counted_as_the_providers_count_them(project, http):
    project.write(one=words(100), two=words(20))
    for model in ("gpt-4.1-mini", "gemini-2.5-flash", "claude-sonnet-4-5"):
        counted = http.call("count_project_tokens", context=["one.md", "two.md"], model=model)
        assert counted["total"] == sum(counted["files"].values())
        assert counted["files"]["one.md"] - counted["files"]["two.md"] == 80, counted
    told = project.ask("Read it.", session="counted", tool=GPT, context=["one.md"])
    assert told["usage"]["input_tokens"] > counted["files"]["one.md"]
