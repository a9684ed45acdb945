"""What a user of the API does, watched by the oracle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.e2e.automation.states import ENDED, EXECUTION, INQUIRY

from stackproof.oracle import Oracle

Row = dict[str, Any]

PATIENCE = 120.0  # seconds; generous, since only a broken system needs them
AWAY = (httpx.TransportError, httpx.HTTPStatusError)
UNAVAILABLE = 503
LONGEST_SILENCE = 4
"""Comments, one each 15 s, that a stream may tell between two events."""
PASSWORD = "a test password"
SEEDED = "test@example.org"


@dataclass
class User:
    """A user with a token.

    Attributes:
        stack: The stack that the user works with.
        oracle: Watches what the user sees.
        http: The user's client.
        login: The user's name.
        id: The user's number.
        token: What proves who asks.
    """

    stack: Any
    oracle: Oracle
    http: httpx.Client
    login: str = SEEDED
    id: int = 0
    token: str = field(default="", repr=False)

    def log_in(self) -> User:
        """Get a token."""
        told = self._post("/auth/login", {"login": self.login, "password": PASSWORD})
        return self._is(told)

    def register(self) -> User:
        """Become a user."""
        told = self._post("/auth/register", {"login": self.login, "password": PASSWORD})
        return self._is(told)

    def _is(self, told: Row) -> User:
        self.id, self.token = told["user"]["id"], told["access_token"]
        self.http.headers["authorization"] = f"Bearer {self.token}"
        return self

    def execute(self, action: str, *, max_retries: int | None = None, **parameters: Any) -> int:
        """Request an execution; returns its id."""
        body: Row = {"action_ref": action, "parameters": parameters}
        if max_retries is not None:
            body["max_retries"] = max_retries
        told = self._post("/api/v1/executions/execute", body)
        self._saw(told)
        return int(told["id"])

    def execution(self, number: int) -> Row:
        """How an execution is."""
        told: Row = self._get(f"/api/v1/executions/{number}")
        self._saw(told)
        return told

    def executions(self, **wanted: Any) -> list[Row]:
        """The executions whose columns have these values, in the order of requests."""
        found = self.some("executions", **wanted)
        for told in found:
            self._saw(told)
        return found

    def some(self, kind: str, **wanted: Any) -> list[Row]:
        """Events, enforcements, inquiries, rules and so on."""
        found: list[Row] = self._get(f"/api/v1/{kind}", **wanted)
        return found

    def cancel(self, number: int) -> Row:
        """Cancel an execution."""
        return self._post(f"/api/v1/executions/{number}/cancel", {})

    def wait_for(self, number: int, *states: str) -> Row:
        """Wait until an execution is in one of the states; ends at once if it can't get there."""
        found: Row = self.stack.wait_until(
            lambda: self.execution(number),
            until=lambda told: told["status"] in states,
            failed=lambda told: told["status"] in ENDED,
            progress=lambda told: told["status"],
            timeout=PATIENCE,
            what=f"execution {number} is {' or '.join(states)}",
            retry_on=AWAY,
        )
        return found

    def add_rule(self, ref: str, **rule: Any) -> Row:
        """Make a rule."""
        return self._post("/api/v1/rules", {"ref": ref, **rule})

    def switch(self, kind: str, ref: str, verb: str) -> None:
        """Enable or disable a rule or a sensor."""
        self._post(f"/api/v1/{kind}/{ref}/{verb}", {})

    def keep_secret(self, ref: str, value: str) -> None:
        """Give a key to the service."""
        self._post("/api/v1/keys", {"ref": ref, "value": value})

    def register_pack(self, content: bytes) -> Row:
        """Upload a pack."""
        answer = self.http.post("/api/v1/packs/register", content=content).raise_for_status()
        told: Row = answer.json()["data"]
        return told

    def inquiry_of(self, execution: int) -> Row:
        """Wait for the question of an execution."""
        [found] = self.stack.wait_until(
            lambda: self.some("inquiries", execution=execution),
            timeout=PATIENCE,
            what=f"execution {execution} asks",
            retry_on=AWAY,
        )
        self._saw_inquiry(found)
        return dict(found)

    def inquiry(self, number: int) -> Row:
        """How a question is."""
        told: Row = self._get(f"/api/v1/inquiries/{number}")
        self._saw_inquiry(told)
        return told

    def respond(self, inquiry: int, response: Row) -> httpx.Response:
        """Answer a question; the caller looks at what becomes of it."""
        return self.http.post(f"/api/v1/inquiries/{inquiry}/respond", json={"response": response})

    @contextmanager
    def stream(self, after: str = "") -> Iterator[Iterator[tuple[str, Row]]]:
        """Server-sent events and their ids, from now on or from after the event of an id."""
        headers = {"Last-Event-ID": after} if after else {}
        with self.http.stream("GET", "/api/v1/executions/stream", headers=headers) as answer:
            lines = answer.raise_for_status().iter_lines()
            assert next(lines) == ": welcome"
            yield self._events(lines)

    def _events(self, lines: Iterator[str]) -> Iterator[tuple[str, Row]]:
        number, silence = "", 0
        for line in lines:
            field, _, value = line.partition(": ")
            silence = silence + 1 if line.startswith(":") else 0
            assert silence < LONGEST_SILENCE, "the stream lives, and tells nothing"
            if field == "id":
                number = value
            elif field == "data":
                told = json.loads(value)
                watch = self.oracle.watch(EXECUTION, str(told["entity_id"]))
                watch.notified("stream").saw(told["payload"]["status"], order=int(number))
                yield number, told

    def _saw(self, told: Row) -> None:
        number = told["id"]
        watch = self.oracle.watch(EXECUTION, str(number), look=lambda: self.execution(number))
        source = watch.polled(f"API, asked by {self.login}")
        source.saw(told["status"], result=told["result"], ended_at=told["ended_at"])

    def _saw_inquiry(self, told: Row) -> None:
        number = told["id"]
        watch = self.oracle.watch(INQUIRY, str(number), look=lambda: self.inquiry(number))
        watch.polled(f"API, asked by {self.login}").saw(told["status"])

    def _get(self, path: str, **wanted: Any) -> Any:
        answer = self.http.get(path, params=wanted)
        if answer.status_code == UNAVAILABLE:  # a busy machine has lost a connection to PostgreSQL
            answer = self.stack.wait_until(
                lambda: self.http.get(path, params=wanted),
                until=lambda again: again.status_code != UNAVAILABLE,
                timeout=PATIENCE,
                what=f"{path} is answered",
                retry_on=AWAY,
            )
        return answer.raise_for_status().json()["data"]

    def _post(self, path: str, body: Row) -> Row:
        answer = self.http.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        told: Row = answer.json()["data"]
        return told
