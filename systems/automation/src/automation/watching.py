"""Notifications as they are told, and which ones a filter selects."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from automation.models import Notification

KINDS = {"entity_type": 1, "entity": 2, "user": 1, "notification_type": 1}
AT_ONCE = 500

Told = dict[str, Any]


class FilterError(Exception):
    """A filter can't be read."""


def check_filter(text: str) -> None:
    """Make sure that a filter says something.

    Raises:
        FilterError: If it doesn't.
    """
    kind, *values = text.split(":")
    if text != "all" and (len(values) != KINDS.get(kind) or not all(values)):
        known = "all, entity_type:T, entity:T:ID, user:ID, notification_type:T"
        raise FilterError(f"the filter {text!r} is none of {known}")


def selects(text: str, told: Told) -> bool:
    """Whether a filter selects a notification."""
    kind, _, value = text.partition(":")
    seen = {
        "all": "",
        "entity_type": told["entity_type"],
        "entity": f"{told['entity_type']}:{told['entity_id']}",
        "user": str(told["user_id"]),
        "notification_type": told["notification_type"],
    }
    return bool(seen[kind] == value)


async def last_position(session: AsyncSession) -> int:
    """The position of the newest notification; 0 if there is none."""
    return await session.scalar(select(func.max(Notification.position))) or 0


async def after(session: AsyncSession, position: int) -> list[Told]:
    """The next notifications after a position, in their order."""
    rows = await session.scalars(
        select(Notification)
        .where(Notification.position > position)
        .order_by(Notification.position)
        .limit(AT_ONCE)
    )
    return [
        {
            "type": "notification",
            "position": row.position,
            "notification_type": row.notification_type,
            "entity_type": row.entity_type,
            "entity_id": row.entity_id,
            "user_id": row.user_id,
            "payload": row.payload,
            "timestamp": row.at.isoformat(),
        }
        for row in rows.all()
    ]
