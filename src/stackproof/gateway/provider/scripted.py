"""Scripts in front of the provider or its recordings: they hold, delay and fail calls."""

from __future__ import annotations

from typing import Any

from stackproof.gateway.call import Call
from stackproof.gateway.errors import ProviderError
from stackproof.gateway.faults import NO_RETRY
from stackproof.gateway.generation import consult
from stackproof.gateway.prompt import Prompt
from stackproof.gateway.requests import parse_body
from stackproof.gateway.scripts import Pacing

SPOKEN = ("messages", "input", "prompt")
"""Fields of a request that hold what was said, in all dialects."""


async def wait_for_script(call: Call) -> None:
    """Let a script hold, delay or fail a call that somebody else answers.

    Raises:
        ProviderError: If the script answers an error, or has an answer of its own, which would
            hide the provider's.
    """
    if call.request.method != "POST":
        return
    scripted = await consult(call, Prompt(call.entry.model, call.entry.path, last=_last(call)))
    if scripted is None:
        return
    pacing = scripted.pacing
    if scripted.reply is not None or pacing != Pacing(pacing.delay, pacing.hold):
        raise ProviderError(
            400,
            f"The script {call.entry.script} has an answer of its own. Where the provider or its "
            "recordings answer, a script can only hold, delay or fail a call.",
            code="script_answers",
            headers=dict(NO_RETRY),
        )


def _last(call: Call) -> str:
    """Text of the last message, as far as it can be read."""
    try:
        body = parse_body(call.data)
    except ProviderError:
        return ""
    said = next((body[one] for one in SPOKEN if one in body), "")
    return _text(said[-1] if isinstance(said, list) and said else said)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, map(_text, value)))
    if isinstance(value, dict):
        return _text(value.get("content", value.get("text", "")))
    return ""
