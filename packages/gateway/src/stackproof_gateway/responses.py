"""The Responses API: the plain and the streamed form of an answer.

Source: OpenAI API reference, "The response object" and "Streaming events".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.encoding import Closing
from stackproof_gateway.replies import Completion
from stackproof_gateway.response_events import Events, item_events
from stackproof_gateway.response_output import INCOMPLETE, output_items
from stackproof_gateway.usage import response_usage

Item = dict[str, Any]
_ECHOED: dict[str, Any] = {
    "background": False, "conversation": None, "instructions": None, "max_output_tokens": None,
    "max_tool_calls": None, "metadata": {}, "parallel_tool_calls": True,
    "previous_response_id": None, "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None}, "safety_identifier": None,
    "service_tier": "default", "store": True, "temperature": 1.0,
    "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_logprobs": 0,
    "top_p": 1.0, "truncation": "disabled", "user": None,
}  # fmt: skip


def as_json(completion: Completion) -> dict[str, Any]:
    """The answer when it is complete, as it is kept."""
    reason = completion.replies[0].finish_reason
    incomplete = INCOMPLETE.get(reason or "")
    status = "incomplete" if incomplete or reason is None else "completed"
    made = begun(completion, status)
    made["incomplete_details"] = {"reason": incomplete} if incomplete else None
    made["output"] = output_items(completion)
    made["usage"] = response_usage(completion.usage)
    if status == "completed":
        made["completed_at"] = completion.created
    return made


def as_answer(completion: Completion) -> dict[str, Any]:
    """The plain form; one that is made in the background is queued."""
    return begun(completion, "queued") if completion.prompt.background else as_json(completion)


def begun(completion: Completion, status: str) -> dict[str, Any]:
    """An answer without its output.

    Args:
        completion: What it is made from.
        status: How far it is.
    """
    body = completion.prompt.body
    given = {
        name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()
    }
    if isinstance(given["conversation"], str):
        given["conversation"] = {"id": given["conversation"]}
    return {
        "id": f"resp_{completion.number:08d}",
        "object": "response",
        "created_at": completion.created,
        "completed_at": None,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": completion.prompt.model,
        "output": [],
        "usage": None,
        **given,
    }


def as_events(completion: Completion, status: str = "") -> Iterator[bytes]:
    """The streamed form; it has no `[DONE]`.

    Args:
        completion: The answer.
        status: How far it has come where it did not get to its end.
    """
    made = Events()
    first = "queued" if completion.prompt.background else "in_progress"
    yield made("response.created", response=begun(completion, first))
    if first == "queued":
        yield made("response.queued", response=begun(completion, first))
    yield made("response.in_progress", response=begun(completion, "in_progress"))
    if status:
        return
    whole = as_json(completion)
    for index, item in enumerate(whole["output"]):
        yield from item_events(made, index, item)
    kind = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
    yield Closing(made(kind, response=whole))
