"""From an event to enforcements, and from an enforcement to an execution."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from automation.models import Action, Enforcement, Event, Execution, Rule
from automation.records import (
    add_enforcement,
    add_execution,
    end_enforcement,
    lock,
    now_of,
)
from automation.states import EnforcementState
from automation.templates import UnknownReferenceError, fill, look_up

log = logging.getLogger(__name__)

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda seen, wanted: bool(seen == wanted),
    "differs": lambda seen, wanted: bool(seen != wanted),
    "above": lambda seen, wanted: bool(seen > wanted),
    "below": lambda seen, wanted: bool(seen < wanted),
}


async def handle_event(session: AsyncSession, event_id: int) -> None:
    """Enforce each rule that an event meets; a second time does nothing."""
    event = await lock(session, Event, event_id)
    if event is None or event.handled_at is not None:
        return
    rules = await session.scalars(
        select(Rule)
        .where(
            Rule.trigger_ref == event.trigger_ref,
            Rule.trigger_params == event.trigger_params,
            Rule.enabled,
        )
        .order_by(Rule.ref)
    )
    for rule in rules.all():
        if applies(rule.conditions, event.payload):
            await add_enforcement(session, Enforcement(rule_ref=rule.ref, event_id=event.id))
    event.handled_at = await now_of(session)


def applies(conditions: dict[str, Any], payload: dict[str, Any]) -> bool:
    """Whether an event's payload meets all conditions, such as `{"count": {"above": 3}}`."""
    try:
        return all(
            COMPARISONS[name](look_up(path, payload), wanted)
            for path, comparisons in conditions.items()
            for name, wanted in comparisons.items()
        )
    except (UnknownReferenceError, TypeError):
        return False


async def handle_enforcement(session: AsyncSession, enforcement_id: int) -> None:
    """Request the execution of an enforcement, unless the rule is disabled by now."""
    enforcement = await lock(session, Enforcement, enforcement_id)
    if enforcement is None or enforcement.status != EnforcementState.CREATED:
        return
    rule = await session.get(Rule, enforcement.rule_ref)
    event = await session.get_one(Event, enforcement.event_id)
    if rule is None or not rule.enabled:
        end_enforcement(session, enforcement, EnforcementState.DISABLED)
        return
    action = await session.get_one(Action, rule.action_ref)
    try:
        parameters = fill(rule.action_params, {"event": event.payload})
    except UnknownReferenceError as error:
        log.warning("rule %s does not fit event %d: %s", rule.ref, event.id, error)
        end_enforcement(session, enforcement, EnforcementState.DISABLED)
        return
    execution = Execution(
        action_ref=action.ref,
        parameters=parameters,
        env_vars={},
        enforcement=enforcement.id,
        max_retries=action.max_retries,
    )
    await add_execution(session, execution)
    end_enforcement(session, enforcement, EnforcementState.PROCESSED)
