"""Anthropic's message batches, which the gateway answers itself, request by request.

Source: Anthropic API reference, "Message Batches", and its SDK 2.14. Until a batch has ended, all
its requests are `processing`. The texts of the refusals are not confirmed by reports of users.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.encoding import to_bytes
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.inside import Answered, Asked, Work
from stackproof_gateway.listing import anthropic_page, json_response, rfc3339
from stackproof_gateway.message_errors import refused
from stackproof_gateway.requests import parse_body

MOST_REQUESTS = 100_000
LIFETIME = 24 * 3600

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KINDS = ("processing", "succeeded", "errored", "canceled", "expired")


@dataclass
class MessageBatch:
    """A batch, and what came of its requests so far.

    Attributes:
        identity: Its id.
        url: Its address.
        created: Seconds of the namespace's clock.
        names: The `custom_id` of each request, in order.
        results: What came of those that are answered, by `custom_id`.
        ended: When the last of them was answered.
        canceled: When it was canceled.
        work: Its requests on their way.
    """

    identity: str
    url: str
    created: int
    names: list[str]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: int = 0
    canceled: int | None = None
    work: Work | None = None

    @property
    def has_ended(self) -> bool:
        """Whether all its requests are answered or canceled."""
        return self.work is not None and self.work.is_done

    def all_results(self) -> list[dict[str, Any]]:
        """The result of each request, once the batch has ended."""
        nothing = {"type": "canceled"}
        return [{"custom_id": name, "result": self.results.get(name, nothing)}
                for name in self.names]  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """The batch as the API shows it."""
        counts = dict.fromkeys(_KINDS, 0)
        status = "in_progress" if self.canceled is None else "canceling"
        if self.has_ended:
            status = "ended"
            for result in self.all_results():
                counts[result["result"]["type"]] += 1
        else:
            counts["processing"] = len(self.names)
        ended = max(self.ended, self.canceled or 0) if self.has_ended else None
        return {
            "id": self.identity,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": counts,
            "created_at": rfc3339(self.created),
            "expires_at": rfc3339(self.created + LIFETIME),
            "ended_at": rfc3339(ended),
            "cancel_initiated_at": rfc3339(self.canceled),
            "archived_at": None,
            "results_url": f"{self.url}/results" if self.has_ended else None,
        }


async def create_batch(call: Call) -> Response:
    """Take requests for messages, to be answered one after another."""
    asked = _requests(parse_body(call.data))
    await call.fail_on_purpose()
    identity = f"msgbatch_{call.entry.seq:08d}"
    address = call.request.url.replace(query="")
    batch = MessageBatch(identity, f"{address}/{identity}", call.created,
                         [one.custom_id for one in asked])  # fmt: skip

    def tell(one: Asked, answered: Answered) -> None:
        batch.results[one.custom_id] = _result(answered)
        batch.ended = call.namespace.now

    batch.work = Work(call, asked, tell)
    call.namespace.shelf.message_batches[identity] = batch
    return json_response(batch.to_json())


def _requests(body: dict[str, Any]) -> list[Asked]:
    given = body.get("requests")
    if given is None:
        raise refused("requests", "Field required")
    if not isinstance(given, list):
        raise refused("requests", "Input should be a valid list")
    if not 1 <= len(given) <= MOST_REQUESTS:
        raise refused("requests", f"List should have from 1 to {MOST_REQUESTS} items, not "
                      f"{len(given)}")  # fmt: skip
    found: dict[str, Asked] = {}
    for number, request in enumerate(given):
        asked = _request(request, f"requests.{number}")
        if asked.custom_id in found:
            raise refused(f"requests.{number}.custom_id", f"Duplicate custom_id: {asked.custom_id}")
        found[asked.custom_id] = asked
    return list(found.values())


def _request(request: Any, param: str) -> Asked:
    if not isinstance(request, dict):
        raise refused(param, "Input should be an object")
    for name, kind, wanted in (("custom_id", str, "string"), ("params", dict, "dictionary")):
        if name not in request:
            raise refused(f"{param}.{name}", "Field required")
        if not isinstance(request[name], kind):
            raise refused(f"{param}.{name}", f"Input should be a valid {wanted}")
    if not _ID.fullmatch(request["custom_id"]):
        raise refused(f"{param}.custom_id", f"String should match pattern '^{_ID.pattern}$'")
    if request["params"].get("stream"):
        raise refused(f"{param}.params.stream", "Streaming is not supported in batches")
    return Asked(request["custom_id"], "/v1/messages", request["params"])


def _result(answered: Answered) -> dict[str, Any]:
    """What came of a request; one whose answer was cut has an error of the server."""
    if answered.body is None:
        error = ProviderError(500, "Internal server error")
        return {"type": "errored", "error": error.anthropic_envelope(answered.request_id)}
    if answered.body.get("type") != "message":
        return {"type": "errored", "error": answered.body}
    usage = {**answered.body["usage"], "service_tier": "batch"}
    return {"type": "succeeded", "message": {**answered.body, "usage": usage}}


def _batch(call: Call) -> MessageBatch:
    identity = call.request.path_params["batch"]
    found: MessageBatch | None = call.namespace.shelf.message_batches.get(identity)
    if found is None:
        raise ProviderError(404, f"Message batch {identity[:64]} not found.")
    return found


async def get_batch(call: Call) -> Response:
    """One batch."""
    await call.fail_on_purpose()
    return json_response(_batch(call).to_json())


async def list_batches(call: Call) -> Response:
    """All batches, newest first."""
    await call.fail_on_purpose()
    batches = reversed(call.namespace.shelf.message_batches.values())
    return anthropic_page(call, [batch.to_json() for batch in batches])


async def cancel_batch(call: Call) -> Response:
    """Answer no more requests of a batch; one that has ended stays as it is."""
    await call.fail_on_purpose()
    batch = _batch(call)
    if not batch.has_ended and batch.work is not None:
        batch.canceled = batch.canceled or call.created
        batch.work.take_back()
    return json_response(batch.to_json())


async def delete_batch(call: Call) -> Response:
    """Forget a batch that has ended."""
    await call.fail_on_purpose()
    batch = _batch(call)
    if not batch.has_ended:
        raise ProviderError(400, f"Message batch {batch.identity} is still in progress. Cancel it "
                            "before deleting it.")  # fmt: skip
    del call.namespace.shelf.message_batches[batch.identity]
    return json_response({"id": batch.identity, "type": "message_batch_deleted"})


async def batch_results(call: Call) -> Response:
    """The results of a batch that has ended, a line each."""
    await call.fail_on_purpose()
    batch = _batch(call)
    if not batch.has_ended:
        raise ProviderError(400, f"Message batch {batch.identity} is still in progress. Its "
                            "results are not available yet.")  # fmt: skip
    lines = b"".join(to_bytes(result) + b"\n" for result in batch.all_results())
    return Response(lines, media_type="application/x-jsonl")
