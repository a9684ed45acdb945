"""From a request to write something to its answer: check, fault, script, or the default reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Answer, Call
from stackproof_gateway.delivery import EVENTS, EventStream, plain
from stackproof_gateway.encoding import event, to_bytes
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import NO_RETRY, Fault
from stackproof_gateway.prompt import Prompt
from stackproof_gateway.replies import Completion, complete
from stackproof_gateway.scripts import AT_ONCE, Pacing, Script, ScriptedReply
from stackproof_gateway.server_answers import dressed, dressed_events

EVENTS_BEFORE_CUT = 2
BROKEN_STREAM = ProviderError(
    500, "The server had an error while processing your request.", kind="server_error"
)


def openai_error_event(error: ProviderError) -> bytes:
    """An error in mid-stream, as OpenAI sends it."""
    return event(error.envelope)


@dataclass(frozen=True)
class Dialect:
    """How one endpoint writes requests and answers.

    Attributes:
        known: Fields of a request that the provider's reference has.
        read: The request as a prompt; raises the provider's error.
        as_json: The plain form of an answer.
        as_events: The streamed form.
        error_event: An error in mid-stream.
        keep: Told each answer that was written.
        cache_counts: Tokens that the provider's prompt cache has, by their names in `usage`.
        media_type: What the streamed form is.
        dresses: Whether the answers of other servers than OpenAI have a form of their own.
        takes: What a script may say that few endpoints have a form for: `annotations`, `built_in`,
            `items`.
    """

    known: frozenset[str]
    read: Callable[[Call, dict[str, Any]], Prompt]
    as_json: Callable[[Completion], dict[str, Any]]
    as_events: Callable[[Completion], Iterator[bytes]]
    error_event: Callable[[ProviderError], bytes] = openai_error_event
    keep: Callable[[Call, dict[str, Any], Completion], None] | None = None
    cache_counts: Callable[[Call, Prompt], dict[str, int]] | None = None
    media_type: str = EVENTS
    dresses: bool = False
    takes: tuple[str, ...] = ()


def generator(dialect: Dialect) -> Answer:
    """The answer of an endpoint that writes something."""

    async def answer(call: Call) -> Response:
        body = call.body(dialect.known)
        prompt = dialect.read(call, body)
        call.entry.streamed = prompt.stream
        pacing = await fault_pacing(call, stream=prompt.stream)
        scripted = None if pacing else await consult(call, prompt)
        if prompt.unscripted is not None and (scripted is None or scripted.reply is None):
            raise prompt.unscripted
        pacing = pacing or (scripted.pacing if scripted else AT_ONCE)
        return written(call, dialect, prompt, scripted, pacing)

    return answer


def written(
    call: Call, dialect: Dialect, prompt: Prompt, scripted: ScriptedReply | None, pacing: Pacing
) -> Response:
    """An answer of the gateway's own.

    Args:
        call: The call.
        dialect: How its endpoint writes.
        prompt: What was asked.
        scripted: What a script answers, if one does.
        pacing: How the answer travels.

    Raises:
        ProviderError: If the script says what the endpoint has no form for.
    """
    call.pacing = pacing
    completion = _completion(call, dialect, prompt, scripted)
    if not pacing.ends:
        completion = completion.without_end()
    if dialect.keep is not None:
        dialect.keep(call, prompt.body, completion)
    call.entry.reply = call.state.hiding.short(completion.summary)
    call.entry.usage = completion.usage
    dresses = dialect.dresses and not call.server.is_openai
    if not completion.prompt.stream:
        value = dialect.as_json(completion)
        return plain(to_bytes(dressed(value, call.server.answer) if dresses else value), pacing)
    call.entry.client_closed = True
    events = dialect.as_events(completion)
    return EventStream(
        dressed_events(events, call.server.chunk) if dresses else events,
        pacing,
        dialect.error_event(BROKEN_STREAM),
        call.stream_done,
        dialect.media_type,
    )


def _completion(
    call: Call, dialect: Dialect, prompt: Prompt, scripted: ScriptedReply | None
) -> Completion:
    """What is answered, before it has a form."""
    lost = sorted(scripted.special.difference(dialect.takes)) if scripted else []
    if lost:
        message = (
            f"The script {call.entry.script} says `{lost[0]}`, for which {call.entry.path} of this "
            "gateway has no form."
        )
        raise ProviderError(500, message, kind="server_error", headers=dict(NO_RETRY))
    cached = dialect.cache_counts(call, prompt) if dialect.cache_counts else None
    return complete(
        prompt,
        call.entry.seq,
        call.created,
        reply=scripted.reply if scripted else None,
        usage=scripted.usage if scripted else None,
        reasoning=scripted.reasoning if scripted else None,
        built_in=scripted.built_in if scripted else (),
        cached=cached,
        items=call.state.options.array_items,
    )


async def fault_pacing(call: Call, *, stream: bool) -> Pacing | None:
    """How a fault makes the answer travel; None without a fault.

    Raises:
        ProviderError: If the fault is a status.
    """
    fault = call.next_fault(stream=stream)
    if fault is None:
        return None
    await call.pause(fault.spec.seconds)
    if fault.spec.manner == "status":
        raise fault.error
    return _pacing(fault)


def _pacing(fault: Fault) -> Pacing:
    if fault.spec.manner == "cut":
        return Pacing(cut_after=EVENTS_BEFORE_CUT)
    return Pacing(ends=fault.spec.manner != "eof")


async def consult(call: Call, prompt: Prompt) -> ScriptedReply | None:
    """What a script answers to a call; None if none does.

    Raises:
        ProviderError: If the answer is an error.
    """
    found = call.namespace.scripts.match(prompt, call.headers)
    if found is None:
        return None
    script, scripted = found
    call.entry.script = script.name
    _note(call, script, scripted)
    if not prompt.background:
        await call.wait_for(scripted.pacing)
    if scripted.error is not None:
        error = scripted.error
        if scripted.unit == "surface":
            error = _unretried(error)
        raise error
    return scripted


def _note(call: Call, script: Script, scripted: ScriptedReply) -> None:
    """A scripted error is a fault as any other."""
    pacing = scripted.pacing
    broken = pacing.cut_after is not None or pacing.error_after is not None
    if scripted.error is None and not broken and pacing.ends:
        return
    call.entry.fault = {
        "kind": f"script {script.name}",
        "unit": scripted.unit,
        "reached_app": "reached" if scripted.unit == "surface" else "unknown",
    }
    if call.entry.retry_count is not None:
        call.entry.fault["reached_app"] = "reached"


def _unretried(error: ProviderError) -> ProviderError:
    made = ProviderError(error.status, error.message, headers={**error.headers, **NO_RETRY})
    made.envelope = error.envelope
    return made
