"""Works through a run, item by item."""

from __future__ import annotations

import logging
import uuid
from functools import partial

from sqlalchemy.orm import Session

from runs import lifecycle
from runs.database import patiently
from runs.lifecycle import Busy, Claim, ClaimLost
from runs.models import Run
from runs.provider import Account, ProviderFailed

log = logging.getLogger(__name__)


def execute(run_id: uuid.UUID) -> Busy | None:
    """Make an attempt at a run, if it is there to be taken.

    Returns:
        Busy, if somebody else works on it and it should be looked at again; else None.
    """
    claim = patiently(partial(lifecycle.claim, run_id=run_id))
    if isinstance(claim, Busy):
        return claim
    if claim is None:
        log.info("run %s: nothing to do", run_id)
        return None
    log.info("run %s: attempt %d", run_id, claim.attempt)
    try:
        _attempt(claim)
    except ClaimLost as lost:
        log.warning("run %s: given up, %s", run_id, lost)
    return None


def _attempt(claim: Claim) -> None:
    account, model = patiently(partial(_target, claim=claim))
    is_complete = False
    while not is_complete:
        item = patiently(partial(lifecycle.next_item, claim=claim))
        try:
            answer = account.ask(model, item.prompt)
        except ProviderFailed as failed:
            due = patiently(partial(lifecycle.fail_attempt, claim=claim, failure=failed.failure))
            fate = f"next attempt at {due:%H:%M:%S}" if due else "no further attempt"
            log.warning("run %s: attempt %d failed, %s: %s",
                        claim.run_id, claim.attempt, fate, failed)  # fmt: skip
            return
        is_complete = patiently(
            partial(lifecycle.record_answer, claim=claim, position=item.position, answer=answer)
        )
    log.info("run %s: completed", claim.run_id)


def _target(session: Session, claim: Claim) -> tuple[Account, str]:
    run = session.get_one(Run, claim.run_id)
    return Account(run.provider.base_url, run.provider.api_key), run.model
