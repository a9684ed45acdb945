"""What a user of the planning service does, watched by the oracle."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.e2e.plans.expectations import Expectations
from tests.e2e.plans.history import turn_of
from tests.e2e.plans.mcp_client import McpClient, ToolRefusedError

from stackproof.oracle import Oracle, Source, Watch

Status = dict[str, Any]

PATIENCE = 600.0  # seconds in all; a real provider takes its time
STALLED = 60.0  # seconds without progress; generous, since only a broken system needs them
AWAY = (httpx.TransportError, httpx.HTTPStatusError)
PROMPT = "Open a bicycle repair cafe in a small harbour town before the summer season."
START_DATE = "2026-12-01"

IMPATIENT = {"worker": {"LLM_TIMEOUT_SECONDS": "2"}, "mcp": {"INACTIVITY_SECONDS": "1"}}
"""Environment of a service that soon gives up waiting: for a model, for a worker."""


@dataclass
class Planner:
    """A user of the service.

    Attributes:
        stack: The stack that it uses.
        mcp: The user's client.
        oracle: Watches the user's plans.
        expected: What this revision of the service is like.
        turns: The watch over each plan since the user's last wish, and the number of wishes.
    """

    stack: Any
    mcp: McpClient
    oracle: Oracle
    expected: Expectations
    turns: dict[str, tuple[int, Watch]] = field(default_factory=dict)

    def create(self, prompt: str = PROMPT, **arguments: Any) -> str:
        """Begin a plan; returns its id."""
        told = self.mcp.call("plan_create", prompt=prompt, start_date=START_DATE, **arguments)
        plan = str(told["plan_id"])
        self._begin_turn(plan, progress=0, steps=0)
        return plan

    def status(self, plan: str) -> Status:
        """How far a plan is."""
        told = self.mcp.call("plan_status", plan_id=plan)
        progress, steps = told["progress_percentage"], told["steps_completed"]
        self._source(plan).saw(told["state"], progress=progress, steps=steps)
        return told

    def stop(self, plan: str) -> Status:
        """Ask for the end of a plan."""
        return self.mcp.call("plan_stop", plan_id=plan)

    def resume(self, plan: str) -> Status:
        """Let a plan go on."""
        told = self.mcp.call("plan_resume", plan_id=plan)
        _, before = self.turns[plan]
        self._begin_turn(plan, **before.observations[-1].fields)
        return told

    def resumes_at_once(self, plan: str) -> bool:
        """Ask once for a plan to go on; tells whether it does."""
        try:
            self.resume(plan)
        except ToolRefusedError as refused:
            if refused.code != "PLAN_NOT_RESUMABLE":
                raise
            return False
        return True

    def resume_as_soon_as_possible(self, plan: str) -> bool:
        """Ask again and again, without a pause, for a plan to go on; False if it is complete."""
        give_up = time.monotonic() + STALLED
        while not self.resumes_at_once(plan):
            told = self.status(plan)
            if told["state"] == self.expected.states.done:
                return False
            assert time.monotonic() < give_up, f"the plan does not stop: {told}"
        return True

    def retry(self, plan: str) -> Status:
        """Begin a plan anew."""
        told = self.mcp.call("plan_retry", plan_id=plan)
        self._begin_turn(plan, progress=0, steps=0)
        return told

    def refusal(self, tool: str, **arguments: Any) -> str:
        """The code of the error that a tool must answer with."""
        try:
            told = self.mcp.call(tool, **arguments)
        except ToolRefusedError as refused:
            return refused.code
        raise AssertionError(f"{tool} was not refused: {told}")

    def wait_for(self, plan: str, state: str) -> Status:
        """Wait until a plan is in a state; ends at once where it has ended in another one."""
        found: Status = self.stack.wait_until(
            lambda: self.status(plan),
            until=lambda told: told["state"] == state,
            failed=lambda told: told["state"] in self.expected.states.ended,
            progress=lambda told: (told["state"], told["steps_completed"]),
            stall_after=STALLED,
            timeout=PATIENCE,
            what=f"plan {plan} is {state}",
            retry_on=(*AWAY, ToolRefusedError),
        )
        return found

    def wait_for_the_end(self, plan: str) -> Status:
        """Wait until a plan is complete; the oracle makes sure that it stays so."""
        done = self.wait_for(plan, self.expected.states.done)
        assert done["progress_percentage"] == 100, done
        assert done["steps_completed"] == done["steps_total"] == len(self.expected.steps), done
        return done

    def files(self, plan: str, artifact: str) -> tuple[dict[str, Any], bytes]:
        """What is said of an artifact, and the artifact, downloaded as a browser would."""
        info = self.mcp.call("plan_file_info", plan_id=plan, artifact=artifact)
        answer = httpx.get(info["download_url"], timeout=30).raise_for_status()
        return info, answer.content

    def _begin_turn(self, plan: str, **fields: Any) -> None:
        number, before = self.turns.get(plan, (0, None))
        if before is not None:  # its end was left on purpose
            before.look = None
        name = f"{number + 1} of plan {plan}"
        watch = self.oracle.watch(
            turn_of(self.expected.states), name, look=lambda: self.status(plan)
        )
        self.turns[plan] = (number + 1, watch)
        self._source(plan).saw(self.expected.states.waiting, **fields)

    def _source(self, plan: str) -> Source:
        _, watch = self.turns[plan]
        return watch.polled("plan_status")
