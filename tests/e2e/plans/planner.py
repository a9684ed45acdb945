"""What a user of the planning service does, what is seen of each plan, and what must hold of it."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.e2e.plans.expectations import Expectations
from tests.e2e.plans.mcp_client import McpClient, ToolRefusedError

from stackproof import wait_until

Status = dict[str, Any]

PATIENCE = 60.0  # seconds; generous, since only a broken system needs them
STAYS = 1.5  # seconds that an end is watched for being left again
IMPATIENT = {"worker": {"LLM_TIMEOUT_SECONDS": "2"}, "mcp": {"INACTIVITY_SECONDS": "1"}}
"""Environment of a service that soon gives up waiting: for a model, for a worker."""

AWAY = (httpx.TransportError, httpx.HTTPStatusError)
PROMPT = "Open a bicycle repair cafe in a small harbour town before the summer season."
START_DATE = "2026-12-01"


@dataclass
class Planner:
    """A user, with a memory of every status that was seen.

    Attributes:
        mcp: The user's client.
        expected: What this revision of the service is like.
        seen: Each status of each plan, oldest first; a retry begins a new list.
    """

    mcp: McpClient
    expected: Expectations
    seen: dict[str, list[Status]] = field(default_factory=lambda: defaultdict(list))

    def create(self, prompt: str = PROMPT, **arguments: Any) -> str:
        """Begin a plan; returns its id."""
        told = self.mcp.call("plan_create", prompt=prompt, start_date=START_DATE, **arguments)
        return str(told["plan_id"])

    def status(self, plan: str) -> Status:
        """How far a plan is."""
        told = self.mcp.call("plan_status", plan_id=plan)
        history = self.seen[plan]
        history.append(told)
        assert_sound(history, self.expected)
        return told

    def stop(self, plan: str) -> Status:
        """Ask for the end of a plan."""
        return self.mcp.call("plan_stop", plan_id=plan)

    def resume(self, plan: str) -> Status:
        """Let a plan go on."""
        told = self.mcp.call("plan_resume", plan_id=plan)
        self.seen[plan].append({"asked": "resume"})
        return told

    def resume_as_soon_as_possible(self, plan: str) -> Status:
        """Ask again and again, without a pause, until the service lets the plan go on."""
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return self.resume(plan)
            except ToolRefusedError as refused:
                if refused.code != "PLAN_NOT_RESUMABLE" or time.monotonic() > give_up:
                    raise

    def retry(self, plan: str) -> Status:
        """Begin a plan anew."""
        told = self.mcp.call("plan_retry", plan_id=plan)
        self.seen[plan].clear()
        return told

    def refusal(self, tool: str, **arguments: Any) -> str:
        """The code of the error that a tool must answer with."""
        try:
            told = self.mcp.call(tool, **arguments)
        except ToolRefusedError as refused:
            return refused.code
        raise AssertionError(f"{tool} was not refused: {told}")

    def wait_for(self, plan: str, state: str, *, timeout: float = PATIENCE) -> Status:
        """Wait until a plan is in a state; ends at once where it has ended in another one."""

        def look() -> Status | None:
            told = self.status(plan)
            if told["state"] == state:
                return told
            assert told["state"] not in self.expected.states.ended, f"not {state}: {told}"
            return None

        found = wait_until(
            look,
            timeout=timeout,
            what=f"plan {plan} is {state}",
            retry_on=(*AWAY, ToolRefusedError),
        )
        assert found is not None
        return found

    def wait_for_the_end(self, plan: str) -> Status:
        """Wait until a plan is complete, and make sure that it stays so."""
        done = self.wait_for(plan, self.expected.states.done)
        assert done["progress_percentage"] == 100, done
        assert done["steps_completed"] == done["steps_total"] == len(self.expected.steps), done
        self.watch(plan, done["state"])
        return done

    def watch(self, plan: str, state: str, *, seconds: float = STAYS) -> None:
        """Make sure that a plan stays in the state that it is in."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            told = self.status(plan)
            assert told["state"] == state, f"{state} was left by itself: {told}"

    def files(self, plan: str, artifact: str) -> tuple[dict[str, Any], bytes]:
        """What is said of an artifact, and the artifact, downloaded as a browser would."""
        info = self.mcp.call("plan_file_info", plan_id=plan, artifact=artifact)
        answer = httpx.get(info["download_url"], timeout=30).raise_for_status()
        return info, answer.content


def assert_sound(history: list[Status], expected: Expectations) -> None:
    """The latest status may follow the one before: ends stay, and progress is never lost.

    Between the two, the user may have asked for the plan to go on.
    """
    *earlier, now = history
    before = next((one for one in reversed(earlier) if "asked" not in one), None)
    if before is None:
        return
    for counted in ("progress_percentage", "steps_completed"):
        assert now[counted] >= before[counted], f"{counted} went back: {before}, {now}"
    if "asked" in earlier[-1]:
        return
    states = expected.states
    may_follow = {
        states.waiting: {states.waiting, states.working, *states.ended},
        states.working: {states.working, *states.ended},
    }
    allowed = may_follow.get(before["state"], {before["state"]})
    assert now["state"] in allowed, f"{before['state']} was followed by {now['state']}: {now}"
