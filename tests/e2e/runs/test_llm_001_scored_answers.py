"""LLM-001: the answers of a real model are scored, and what they cost is known.

True of every model that follows simple instructions, and of the gateway's own replies: four of the
five questions of the smoke dataset say what to answer.
"""

import pytest
from tests.integration.runs.scenario import assert_calls, assert_database_agrees

pytestmark = pytest.mark.e2e_llm

MODEL = "gpt-4o-mini"
QUESTIONS = 5
FOLLOWED = 4
PATIENCE = 180.0  # seconds; a real model takes its time


def test_every_question_is_answered_and_scored(stack, gateway, tenant, llm_mode):
    run = tenant.wait_for(tenant.start("smoke", MODEL), "completed", timeout=PATIENCE)

    assert run["totals"]["done"] == QUESTIONS
    assert run["totals"]["correct"] >= FOLLOWED
    assert run["score"] >= FOLLOWED / QUESTIONS
    assert all(item["answer"] for item in run["items"])
    assert_database_agrees(stack, run)
    assert_calls(gateway, MODEL, [200] * QUESTIONS)
    calls = gateway.requests(model=MODEL)
    assert {call.source for call in calls} == {llm_mode}
    assert all(call.usage["total_tokens"] > 0 for call in calls)
    if llm_mode in {"record", "live"}:
        assert all(call.usd > 0 for call in calls)
