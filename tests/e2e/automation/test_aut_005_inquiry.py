"""AUT-005: an execution waits for a person: the right one, with a fitting answer, in time."""

import httpx
import pytest
from tests.e2e.automation.user import PATIENCE

pytestmark = [pytest.mark.e2e, pytest.mark.stack("automation", isolation="module")]

ANSWER = {"approved": True, "reason": "the tests are green"}


def ask(user, login, timeout=600.0):
    """Begin a workflow that asks, and wait for its question; returns parent and question."""
    parent = user.execute("test_pack.approval", assigned_to=login, timeout=timeout)
    [child] = user.stack.wait_until(
        lambda: user.executions(parent=parent), timeout=PATIENCE, what="the task that asks is there"
    )
    return parent, user.inquiry_of(child["id"])


def test_an_answer_of_the_assigned_user_resumes_the_execution(user, other_user, operator):
    parent, inquiry = ask(user, other_user.login)
    assert inquiry["status"] == "pending"
    assert user.execution(inquiry["execution"])["status"] == "running"
    assert user.execution(parent)["status"] == "running"

    assert user.respond(inquiry["id"], ANSWER).status_code == httpx.codes.FORBIDDEN
    for unfit in ({}, {"approved": "yes", "reason": ""}, {**ANSWER, "more": 1}):
        refused = other_user.respond(inquiry["id"], unfit)
        assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY, refused.text
    assert user.inquiry(inquiry["id"])["status"] == "pending"
    assert len(user.executions(parent=parent)) == 1, "it went on without an answer"

    assert other_user.respond(inquiry["id"], ANSWER).status_code == httpx.codes.OK
    done = user.wait_for(parent, "completed")
    assert done["result"]["published"]["message"] == f"approved: {ANSWER['reason']}"
    answered = user.inquiry(inquiry["id"])
    assert (answered["status"], answered["response"]) == ("responded", ANSWER)
    assert user.execution(inquiry["execution"])["result"] == {"response": ANSWER}
    assert other_user.respond(inquiry["id"], ANSWER).status_code == httpx.codes.CONFLICT
    nobody = httpx.get(f"{user.stack.url('api')}/api/v1/inquiries")
    assert nobody.status_code == httpx.codes.UNAUTHORIZED
    operator.wait_until_settled()


def test_a_question_ends_by_time_or_by_cancellation(user, operator):
    late, unanswered = ask(user, user.login, timeout=0.5)
    unwanted, cancelled = ask(user, user.login)
    user.cancel(cancelled["execution"])

    failed = user.wait_for(late, "failed")
    assert "nobody has answered" in failed["result"]["error"]["message"]
    assert user.inquiry(unanswered["id"])["status"] == "timeout"
    assert user.execution(unanswered["execution"])["status"] == "timeout"
    assert user.respond(unanswered["id"], ANSWER).status_code == httpx.codes.CONFLICT

    user.wait_for(unwanted, "failed")
    assert user.inquiry(cancelled["id"])["status"] == "cancelled"
    assert operator.states_of(cancelled["execution"])[-2:] == ["canceling", "cancelled"]
    assert user.respond(cancelled["id"], ANSWER).status_code == httpx.codes.CONFLICT
    operator.wait_until_settled()
    assert len(user.executions(parent=late)) == len(user.executions(parent=unwanted)) == 1
