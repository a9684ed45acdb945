"""Works through a plan, step by step, for as long as the claim on it is good."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from plans import execution
from plans.database import AWAY, patiently
from plans.execution import Claim, ClaimLost, Work
from plans.models import FailureReason
from plans.pipeline import Step, pipeline, profiles
from plans.provider import Answer, CallFailed, ask
from plans.settings import settings

log = logging.getLogger(__name__)


class Ending(Protocol):
    """Says that the worker is to end; `threading.Event` is one."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


class GaveUp(Exception):
    """A step's model call failed for good."""


def execute(claim: Claim, ending: Ending) -> None:
    """Work on a plan until it has ended, the claim is lost or the worker is to end.

    Raises:
        OperationalError: If the database stays away; the plan is taken over later.
    """
    try:
        _work(claim, ending)
    except ClaimLost as lost:
        log.warning("plan %s: given up, %s", claim.plan_id, lost)
    except AWAY:
        raise
    except Exception as error:
        log.exception("plan %s: the worker itself failed", claim.plan_id)
        _fail(claim, FailureReason.INTERNAL_ERROR, f"{type(error).__name__}: {error}", None)


def _work(claim: Claim, ending: Ending) -> None:
    work = patiently(partial(execution.begin, claim=claim))
    for step in work.steps if work else ():
        if ending.is_set() or not _do_step(claim, work, step, ending):
            break
    if ending.is_set():
        patiently(partial(execution.release, claim=claim))
    log.info("plan %s: claim %d is over", claim.plan_id, claim.epoch)


def _do_step(claim: Claim, work: Work | None, step: Step, ending: Ending) -> bool:
    """Do one step; tells whether there is more to do."""
    assert work is not None
    sections = patiently(partial(execution.enter, claim=claim, step=step))
    if sections is None:
        return False
    try:
        answer = _with_tries(claim, step, _call(work, step, sections), ending)
    except GaveUp as error:
        _fail(claim, FailureReason.GENERATION_ERROR, str(error), step.name)
        return False
    if answer is None:
        return False
    files = {
        step.raw_file: json.dumps(answer.raw, indent=2).encode(),
        step.text_file: answer.text.encode(),
    }
    return patiently(partial(execution.record, claim=claim, step=step, files=files))


def _call(work: Work, step: Step, sections: dict[str, str]) -> Callable[[], Answer]:
    known = profiles()
    profile = known.by_name[work.parameters.get("model_profile", known.default)]
    start_date = work.parameters.get("start_date", "")
    return partial(
        ask,
        profile.model(step.model),
        pipeline().messages(step, work.prompt, start_date, sections),
        timeout=min(step.timeout, settings().longest_call),
    )


def _with_tries(
    claim: Claim, step: Step, call: Callable[[], Answer], ending: Ending
) -> Answer | None:
    """A model's answer; None if the plan was stopped meanwhile, or the worker is to end."""
    delay = settings().retry_delay
    for number in range(1, step.tries + 1):
        try:
            return call()
        except CallFailed as failed:
            log.warning("plan %s: %s, try %d of %d: %s", claim.plan_id, step.name, number,
                        step.tries, failed)  # fmt: skip
            last = failed
        goes_on = patiently(
            partial(execution.note_failed_try, claim=claim, step=step, message=last.message)
        )
        if not goes_on:
            return None
        if number == step.tries or not last.is_transient:
            raise GaveUp(f"{step.title}: {last.message}")
        if ending.wait(delay):
            return None
        delay *= 2
    raise AssertionError("a step has at least one try")


def _fail(claim: Claim, reason: FailureReason, message: str, step: str | None) -> None:
    try:
        patiently(partial(execution.fail, claim=claim, reason=reason, message=message, step=step))
    except ClaimLost as lost:
        log.warning("plan %s: not failed by this worker, %s", claim.plan_id, lost)
