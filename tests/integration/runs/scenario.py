"""What a user of the runs service does, and what must be true afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from tests.integration.runs.history import RUN, note_event, note_run

from stackproof.oracle import Oracle, Watch

Run = dict[str, Any]

TERMINAL = {"completed", "failed"}
DONE_WITHIN = 60.0  # seconds; generous, since only a broken system needs them
NOT_WITHIN = 2.0  # seconds that a broken system is watched for

SMOKE_ANSWERS = [
    ("Paris", True),
    ("42", True),
    ("blue whale", True),
    ("echo: Name the largest planet.", False),
    ("H2O", True),
]
SMOKE_TOTALS = {"items": 5, "done": 5, "correct": 4}
SMOKE_SCORE = 0.8


@dataclass(frozen=True)
class NotYet:
    """Says no, and what was seen instead; the trace of a timed-out wait shows it."""

    seen: str

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return self.seen


@dataclass(frozen=True)
class Shown:
    """A run, which the trace of a wait shows in one line."""

    run: Run

    def __repr__(self) -> str:
        return describe(self.run)


@dataclass(frozen=True)
class Tenant:
    """A user with an own provider account, and so with an own part of the gateway.

    Attributes:
        stack: The stack that it uses.
        http: Client of the API.
        oracle: Watches its runs.
        nonce: Makes the names of this test unlike those of any other.
    """

    stack: Any
    http: httpx.Client
    oracle: Oracle
    nonce: str

    @property
    def provider(self) -> str:
        """Name of the provider account."""
        return f"tenant-{self.nonce}"

    def model(self, kind: str) -> str:
        """A model name of one's own, such as `x-fail-once-1f3a…`."""
        return f"{kind}-{self.nonce}"

    def open_account(self, api_key: str) -> dict[str, Any]:
        """Bring one's own key."""
        return self._post("/providers", {"name": self.provider, "api_key": api_key})

    def start(self, dataset: str, model: str) -> str:
        """Start a run; returns its id."""
        wanted = {"dataset": dataset, "model": model, "provider": self.provider}
        run = self._post("/runs", wanted)
        assert (run["state"], run["attempts"]) == ("queued", 0), run
        return str(run["id"])

    def show(self, run_id: str) -> Run:
        """A run as the API tells it."""
        answer = self.http.get(f"/runs/{run_id}")
        assert answer.status_code == httpx.codes.OK, answer.text
        run: Run = answer.json()
        note_run(self.watch(run_id).polled("API"), run)
        return run

    def watch(self, run_id: str) -> Watch:
        """The watch over a run: at the end of the test, API and events must agree on its end."""

        def look() -> None:
            self.show(run_id)
            self.events(run_id)

        return self.oracle.watch(RUN, run_id, look=look)

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Everything that happened to a run, as stored."""
        rows: list[dict[str, Any]] = self.stack.rows(
            f"select seq, type, payload from run_events where run_id = '{run_id}' order by seq"  # noqa: S608 - an id that the API made
        )
        for row in rows:
            note_event(
                self.watch(run_id).recorded("events"), row["seq"], row["type"], row["payload"]
            )
        return rows

    def wait_for(self, run_id: str, state: str, *, timeout: float = DONE_WITHIN) -> Run:
        """Wait until a run is in a state; ends at once if it can't get there any more."""
        found: Shown = self.stack.wait_until(
            lambda: Shown(self.show(run_id)),
            until=lambda shown: shown.run["state"] == state,
            failed=lambda shown: shown.run["state"] in TERMINAL,
            timeout=timeout,
            what=f"run {run_id} is {state}",
        )
        return found.run

    def _post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(path, json=content)
        assert answer.status_code == httpx.codes.CREATED, f"{path}: {answer.text}"
        created: dict[str, Any] = answer.json()
        return created


def describe(run: Run) -> str:
    """A run in one line, for messages."""
    totals, error = run["totals"], run["error"]
    line = (
        f"run of {run['model']} is {run['state']} after {run['attempts']} of "
        f"{run['max_attempts']} attempts with {totals['done']} of {totals['items']} items done, "
        f"{totals['correct']} correct"
    )
    if run["retry_at"]:
        line += f", retry due at {run['retry_at']}{' (overdue)' if run['retry_overdue'] else ''}"
    return line + (f"; {error['type']}: {error['message']}" if error else "")


def assert_smoke_run_completed(run: Run, *, attempts: int = 1) -> None:
    """Every item of the smoke dataset is scored, in the attempt that went well; the sum fits."""
    seen = describe(run)
    assert run["state"] == "completed", seen
    assert run["attempts"] == attempts, seen
    assert run["totals"] == SMOKE_TOTALS, seen
    assert run["score"] == SMOKE_SCORE, seen
    assert run["error"] is None, seen
    assert run["retry_at"] is None, seen
    assert run["finished_at"] is not None, seen
    assert [(item["answer"], item["correct"]) for item in run["items"]] == SMOKE_ANSWERS
    assert [item["position"] for item in run["items"]] == [1, 2, 3, 4, 5]
    assert {item["attempt"] for item in run["items"]} == {attempts}


def assert_failed_by_provider(run: Run, *, message: str) -> None:
    """A run has used up its attempts, and says what the provider said."""
    seen = describe(run)
    assert run["state"] == "failed", seen
    assert run["attempts"] == run["max_attempts"], seen
    assert run["error"] is not None, seen
    assert message in run["error"]["message"], f"not the provider's error {message!r}: {seen}"
    assert run["error"]["attempt"] == run["attempts"], seen
    assert run["retry_at"] is None, seen
    assert run["score"] is None, seen


def assert_database_agrees(stack: Any, run: Run) -> None:
    """The rows in PostgreSQL say the same as the API."""
    [row] = stack.rows(
        "select state, attempts, max_attempts, model, score, error, retry_at is null as no_retry, "  # noqa: S608 - an id that the API made
        f"finished_at is not null as is_over from runs where id = '{run['id']}'"
    )
    told = {key: run[key] for key in ("state", "attempts", "max_attempts", "model", "score")}
    told |= {
        "error": run["error"],
        "no_retry": run["retry_at"] is None,
        "is_over": run["finished_at"] is not None,
    }
    assert row == told, "the runs table and the API differ"
    items = stack.rows(
        "select position, prompt, expected, answer, correct, attempt from run_items "  # noqa: S608 - same
        f"where run_id = '{run['id']}' order by position"
    )
    assert items == run["items"], "the run_items table and the API differ"


def assert_calls(gateway: Any, model: str, statuses: list[int]) -> None:
    """The gateway was called exactly so often for a model, with exactly these answers."""
    calls = gateway.requests(model=model)
    seen = [(call.status, call.path) for call in calls]
    assert [call.status for call in calls] == statuses, f"calls for {model}: {seen}"
    assert all(call.path.endswith("/chat/completions") for call in calls), seen


@contextmanager
def paused(service: Any) -> Iterator[None]:
    """Freeze a service for the time of a `with` block."""
    service.pause()
    try:
        yield
    finally:
        service.unpause()
