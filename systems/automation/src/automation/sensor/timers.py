"""Timers: each interval that an enabled rule names fires at its multiples of the clock.

What is due follows from the clock alone, and an event's key from what is due. So a second sensor
service, or the same one again, tells nothing twice. One that was frozen makes up for what it missed
within the grace period, and for nothing older.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from automation.models import Event, Rule
from automation.packs import TIMER
from automation.records import add_event

INTERVAL = "interval"
SHORTEST = 0.05
ROUNDING = 1e-6
"""A tick is no exact multiple in floating point."""


async def intervals(session: AsyncSession) -> set[float]:
    """The intervals of all enabled rules, in seconds."""
    rules = await session.scalars(select(Rule).where(Rule.trigger_ref == TIMER, Rule.enabled))
    return {float(rule.trigger_params[INTERVAL]) for rule in rules.all()}


def next_tick(interval: float, now: float) -> float:
    """When a timer fires next after a moment, which may be such a tick itself."""
    return (math.floor(now / interval + ROUNDING) + 1) * interval


async def fire(session: AsyncSession, interval: float, tick: float) -> None:
    """Tell that a timer has fired, unless that is known."""
    count = round(tick / interval)
    key = f"{TIMER}:{interval:g}:{count}"
    if await session.scalar(select(Event.id).where(Event.key == key)) is not None:
        return
    rule = await session.scalar(
        select(Rule).where(
            Rule.trigger_ref == TIMER,
            Rule.enabled,
            Rule.trigger_params[INTERVAL].as_float() == interval,
        )
    )
    if rule is None:
        return
    due_at = datetime.fromtimestamp(tick, UTC).isoformat()
    event = Event(
        key=key,
        trigger_ref=TIMER,
        trigger_params=rule.trigger_params,
        payload={"due_at": due_at, "count": count},
    )
    await add_event(session, event)


def now() -> float:
    """The clock that timers follow."""
    return time.time()
