"""The relay: tells the broker what the database has for it, in order, at least once.

One relay works at a time, over all services, so that the order holds. If one dies between database
and broker, any other goes on: a message that was published and not marked is published again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from automation import broker, database
from automation.models import Message
from automation.settings import settings

log = logging.getLogger(__name__)

ONE_AT_A_TIME = 7_112_027
"""Key of the advisory lock."""
AT_ONCE = 50
CONFIRMED_WITHIN = 1.0
"""Seconds; shorter than the longest idle transaction."""
IS_OPEN = text("""
    SELECT EXISTS (SELECT 1 FROM outbox WHERE published_at IS NULL)
        OR EXISTS (SELECT 1 FROM notifications WHERE position IS NULL)
""")
PLACE_NOTIFICATIONS = text("""
    WITH places AS (
        SELECT id, row_number() OVER (ORDER BY id)
            + (SELECT coalesce(max(position), 0) FROM notifications) AS place
        FROM notifications WHERE position IS NULL
    )
    UPDATE notifications SET position = place FROM places
    WHERE notifications.id = places.id RETURNING place
""")


class Relay:
    """Publishes for as long as the process lives."""

    def __init__(self) -> None:
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    async def run(self) -> None:
        """Publish after each commit of this process, and look now and then for those of others."""
        is_told = False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(settings().poll):
                    await database.committed.wait()
            database.committed.clear()
            try:
                while await self._is_open() and await self._publish_some():
                    is_told = False
            except (*database.AWAY, *broker.AWAY) as error:
                if not is_told:
                    log.warning("messages wait, database or broker is away: %r", error)
                is_told = True
                await asyncio.sleep(broker.PAUSE)
                database.committed.set()

    async def _is_open(self) -> bool:
        async with database.transaction() as session:
            return bool((await session.execute(IS_OPEN)).scalar_one())

    async def _publish_some(self) -> bool:
        """Place notifications, which watchers see then, broker or not; publish some messages."""
        async with database.transaction() as session:
            await _take_turn(session)
            places = (await session.execute(PLACE_NOTIFICATIONS)).scalars().all()
        channel = await self._open()
        if places:
            await self._confirm([_publication(channel, broker.NOTIFICATIONS, "", max(places))])
        async with database.transaction() as session:
            await _take_turn(session)
            waiting = (
                await session.scalars(
                    select(Message)
                    .where(Message.published_at.is_(None))
                    .order_by(Message.id)
                    .limit(AT_ONCE)
                )
            ).all()
            told = await self._confirm(
                [
                    _publication(channel, one.exchange, one.routing_key, one.id, one.body)
                    for one in waiting
                ]
            )
            await session.execute(
                update(Message)
                .where(Message.id.in_(told))
                .values(published_at=func.clock_timestamp())
                .execution_options(synchronize_session=False)
            )
        return len(waiting) == AT_ONCE or len(told) < len(waiting)

    async def _confirm(self, publications: list[Coroutine[Any, Any, int]]) -> list[int]:
        """Publish in order; returns what the broker has confirmed in time.

        Raises:
            TimeoutError: If it has confirmed nothing.
        """
        if not publications:
            return []
        tasks = [asyncio.ensure_future(one) for one in publications]
        done, late = await asyncio.wait(tasks, timeout=CONFIRMED_WITHIN)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if not done:
            raise TimeoutError(f"nothing was confirmed within {CONFIRMED_WITHIN:g} s")
        return [task.result() for task in tasks if task in done]

    async def _open(self) -> AbstractChannel:
        if self._channel is None or self._channel.is_closed:
            if self._connection is not None and not self._connection.is_closed:
                await self._connection.close()
            self._connection = await broker.connect()
            self._channel = await self._connection.channel(publisher_confirms=True)
            await broker.declare(self._channel)
        return self._channel


async def _publication(
    channel: AbstractChannel, exchange: str, key: str, number: int, body: broker.Body | None = None
) -> int:
    message = aio_pika.Message(
        json.dumps(body or {"position": number}).encode(),
        message_id=str(number),
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    await (await channel.get_exchange(exchange, ensure=False)).publish(
        message, key, mandatory=False
    )
    return number


async def _take_turn(session: AsyncSession) -> None:
    await session.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))
