"""Batches: requests of a file, which the gateway answers itself, as any other call.

They are answered as soon as the batch is created; those that a script holds or delays, later. Each
look at a batch shows its next state, so that a client meets them all: validating, in progress,
finalizing, completed. Source: OpenAI API reference, "Batch".
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from starlette.responses import Response

from stackproof_gateway.batch_lines import (
    LineError,
    answered_line,
    errors_of,
    failed_line,
    requests_of,
    succeeded,
)
from stackproof_gateway.call import Call
from stackproof_gateway.contents import Contents
from stackproof_gateway.errors import ProviderError, bad_value, missing, not_found
from stackproof_gateway.files import check_expiry, file_of
from stackproof_gateway.inside import Answered, Asked, Work
from stackproof_gateway.listing import json_response, page
from stackproof_gateway.metadata import read_metadata
from stackproof_gateway.requests import check_choice, parse_body
from stackproof_gateway.shelf import StoredFile

ENDPOINTS_OF_REQUESTS = (
    "/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions",
    "/v1/moderations", "/v1/images/generations",
)  # fmt: skip
LARGEST_INPUT = 200 * 1024 * 1024
LASTS = 24 * 3600
PATIENCE = 0.2
"""Seconds that a look waits for requests, which take milliseconds unless a script holds them."""

OVER = {
    "cancelled": ("batch_cancelled", "This request was not executed: the batch was cancelled."),
    "expired": (
        "batch_expired",
        "This request could not be executed before the completion window expired.",
    ),
}  # fmt: skip
_TIMES = ("in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at",
          "cancelling_at", "cancelled_at")  # fmt: skip


class Batch:
    """A batch.

    Args:
        call: The call that creates it.
        body: Its request.
        file: The input file.
    """

    def __init__(self, call: Call, body: dict[str, Any], file: StoredFile) -> None:
        self.namespace = call.namespace
        self.endpoint: str = body["endpoint"]
        self._input = file.contents
        self._errors: list[LineError] = errors_of(file.contents, self.endpoint)
        expiry = body.get("output_expires_after")
        self._lasts = None if expiry is None else check_expiry(expiry, "output_expires_after")
        self._output, self._failed = Contents(), Contents()
        self._answered: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._total = 0
        self.fields: dict[str, Any] = {
            "id": call.namespace.next_id("batch_"),
            "object": "batch",
            "endpoint": self.endpoint,
            "model": None,
            "errors": None,
            "input_file_id": file.identity,
            "completion_window": body["completion_window"],
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": call.created,
            **dict.fromkeys(_TIMES),
            "expires_at": call.created + LASTS,
            "metadata": read_metadata(body) or None,
        }
        self._work = (
            None
            if self._errors
            else Work(call, requests_of(self._input, self.endpoint), self._note)
        )

    def to_json(self) -> dict[str, Any]:
        """The batch object of the API; while it is validated, it has no counts yet."""
        counts = self._counts
        validated = self.fields["status"] not in {"validating", "failed"}
        return {
            **self.fields,
            "request_counts": {
                "total": self._total if validated else 0,
                "completed": counts["completed"] if validated else 0,
                "failed": counts["failed"] if validated else 0,
            },
            "usage": {
                "input_tokens": counts["input"],
                "input_tokens_details": {"cached_tokens": counts["cached"]},
                "output_tokens": counts["output"],
                "output_tokens_details": {"reasoning_tokens": counts["reasoning"]},
                "total_tokens": counts["input"] + counts["output"],
            },
        }

    def _note(self, asked: Asked, answered: Answered) -> None:
        """Write an answer into one of the files."""
        good = succeeded(answered)
        line = answered_line(self._line_id(), asked, answered)
        (self._output if good else self._failed).write(line)
        self._answered.add(asked.custom_id)
        self._counts["completed" if good else "failed"] += 1
        if good:
            self._counts += _usage(answered.body)

    def _line_id(self) -> str:
        return self.namespace.next_id("batch_req_")

    async def settle(self) -> bool:
        """Wait a little for its requests, and tell whether all are answered."""
        return self._work is None or await self._work.settle(PATIENCE)

    async def look(self, now: int) -> None:
        """Go on to its next state, if it has come that far.

        Args:
            now: Seconds of the namespace's clock.
        """
        status = self.fields["status"]
        if status == "validating":
            self._validated(now)
        elif status in {"in_progress", "cancelling"} and self._work is not None:
            if now >= self.fields["expires_at"]:
                self._work.take_back()
            if not await self.settle():
                return
            if status == "cancelling":
                self._end("cancelled", now)
            elif now >= self.fields["expires_at"]:
                self._end("expired", now)
            else:
                self._set("finalizing", now)
        elif status == "finalizing":
            self._end("completed", now)

    def _validated(self, now: int) -> None:
        if self._errors:
            self.fields["errors"] = {"object": "list", "data": self._errors}
            self._set("failed", now)
            return
        requests = requests_of(self._input, self.endpoint)
        self.fields["model"] = next(requests).body.get("model")
        self._total = 1 + sum(1 for _ in requests)
        self._set("in_progress", now)

    def cancel(self, now: int) -> None:
        """Answer no more of its requests.

        Raises:
            ProviderError: If it is over.
        """
        status = self.fields["status"]
        if status == "validating":
            self._validated(now)
        if self.fields["status"] not in {"in_progress", "cancelling"} or self._work is None:
            raise ProviderError(409, f"Cannot cancel a batch with status '{status}'.")
        self._work.take_back()
        self._set("cancelling", now)

    def _set(self, status: str, now: int) -> None:
        self.fields["status"] = status
        self.fields[f"{status}_at"] = now

    def _end(self, status: str, now: int) -> None:
        """Make its files, each only if it has lines."""
        if status in OVER:
            for asked in requests_of(self._input, self.endpoint):
                if asked.custom_id not in self._answered:
                    line = failed_line(self._line_id(), asked.custom_id, *OVER[status])
                    self._failed.write(line)
        self.fields["output_file_id"] = self._keep("output", self._output, now)
        self.fields["error_file_id"] = self._keep("error", self._failed, now)
        self._set(status, now)

    def _keep(self, what: str, contents: Contents, now: int) -> str | None:
        if not contents.size:
            return None
        identity, name = self.namespace.next_id("file-"), f"{self.fields['id']}_{what}.jsonl"
        expires = None if self._lasts is None else now + self._lasts
        stored = StoredFile(identity, name, "batch_output", contents, now, expires)
        self.namespace.shelf.files[identity] = stored
        return identity


def _usage(body: Any) -> Counter[str]:
    """The tokens of an answer, in whatever API it is written."""
    usage = body.get("usage") if isinstance(body, dict) else None
    if not isinstance(usage, dict):
        return Counter()

    def count(*names: str) -> int:
        return next((usage[name] for name in names if isinstance(usage.get(name), int)), 0)

    def detail(name: str, *places: str) -> int:
        found: dict[str, int] = next(
            (usage[place] for place in places if isinstance(usage.get(place), dict)), {}
        )
        return found.get(name) or 0

    return Counter(
        input=count("prompt_tokens", "input_tokens"),
        output=count("completion_tokens", "output_tokens"),
        cached=detail("cached_tokens", "prompt_tokens_details", "input_tokens_details"),
        reasoning=detail("reasoning_tokens", "completion_tokens_details", "output_tokens_details"),
    )


async def create_batch(call: Call) -> Response:
    """Begin a batch."""
    await call.fail_on_purpose()
    body = parse_body(call.data)
    for name in ("input_file_id", "endpoint", "completion_window"):
        if body.get(name) is None:
            raise missing(name)
    check_choice(body["endpoint"], "endpoint", ENDPOINTS_OF_REQUESTS)
    check_choice(body["completion_window"], "completion_window", ("24h",))
    file = file_of(call, body["input_file_id"])
    if file.purpose != "batch":
        raise bad_value("input_file_id", f"The file {file.identity} has the purpose "
                        f"'{file.purpose}', but the input of a batch has 'batch'.")  # fmt: skip
    if file.contents.size > LARGEST_INPUT:
        raise bad_value("input_file_id", f"The file {file.identity} is larger than 200 MB.")
    batch = Batch(call, body, file)
    call.namespace.shelf.request_batches[batch.fields["id"]] = batch
    await batch.settle()
    return json_response(batch.to_json())


def _own(call: Call) -> Batch:
    identity = call.request.path_params["batch"]
    found: Batch | None = call.namespace.shelf.request_batches.get(identity)
    if found is None:
        raise not_found("Batch", identity)
    return found


async def get_batch(call: Call) -> Response:
    """What is known of a batch."""
    await call.fail_on_purpose()
    batch = _own(call)
    await batch.look(call.created)
    return json_response(batch.to_json())


async def cancel_batch(call: Call) -> Response:
    """Answer no more requests of a batch."""
    await call.fail_on_purpose()
    batch = _own(call)
    batch.cancel(call.created)
    return json_response(batch.to_json())


async def list_batches(call: Call) -> Response:
    """All batches, each with its next state."""
    await call.fail_on_purpose()
    batches = list(call.namespace.shelf.request_batches.values())
    for batch in batches:
        await batch.look(call.created)
    return page(call, [batch.to_json() for batch in batches])


ENDPOINTS = (
    ("POST", "/batches", create_batch),
    ("GET", "/batches", list_batches),
    ("GET", "/batches/{batch}", get_batch),
    ("POST", "/batches/{batch}/cancel", cancel_batch),
)
