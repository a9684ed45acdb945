"""RabbitMQ: exchanges, queues, and consumers that come back after the broker was away."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import AMQPError

from automation.records import EVENTS, EXECUTIONS
from automation.settings import settings

Body = dict[str, Any]

log = logging.getLogger(__name__)

NOTIFICATIONS = "notifications"
DEAD_LETTERS = "dead-letters"
AWAY = (AMQPError, OSError, asyncio.TimeoutError, RuntimeError)
"""What a lost broker raises; RuntimeError is aio-pika's word for a channel that is gone."""
PAUSE = 0.2
CONNECT_WITHIN = 5.0

_handling: set[asyncio.Task[None]] = set()

EXECUTOR_QUEUES = {
    "executor.events": (EVENTS, "event.created"),
    "executor.enforcements": (EVENTS, "enforcement.created"),
    "executor.requests": (EXECUTIONS, "execution.requested"),
    "executor.endings": (EXECUTIONS, "execution.ended"),
    "executor.cancellations": (EXECUTIONS, "execution.cancel"),
}
DEAD_LETTER_QUEUE = "executor.dead-letters"


@dataclass(frozen=True)
class Consumer:
    """Who takes the messages of one queue.

    Attributes:
        queue: The queue, which nobody else takes from.
        handle: Sees to one message; must bear to get it twice.
        at_once: How many messages it has in its hands at the same time.
        bind: Exchange and routing key.
        ttl: Seconds after which a message that waits is a dead letter.
        is_temporary: Whether the queue ends with the connection.
    """

    queue: str
    handle: Callable[[Body], Awaitable[None]]
    at_once: int = 1
    bind: tuple[str, str] | None = None
    ttl: float | None = None
    is_temporary: bool = False


async def connect() -> AbstractConnection:
    """A connection that doesn't come back by itself: its user knows what to do first."""
    return await aio_pika.connect(
        f"{settings().amqp_url}?heartbeat={settings().amqp_heartbeat}",
        timeout=CONNECT_WITHIN,
        client_properties={"connection_name": settings().name},
    )


async def declare(channel: AbstractChannel) -> None:
    """Make the exchanges and the executor's queues, so that nothing is lost before it starts."""
    for name, kind in (
        (EVENTS, aio_pika.ExchangeType.TOPIC),
        (EXECUTIONS, aio_pika.ExchangeType.TOPIC),
        (NOTIFICATIONS, aio_pika.ExchangeType.FANOUT),
        (DEAD_LETTERS, aio_pika.ExchangeType.FANOUT),
    ):
        await channel.declare_exchange(name, kind, durable=True)
    for name, (exchange, key) in EXECUTOR_QUEUES.items():
        queue = await channel.declare_queue(
            name, durable=True, arguments={"x-dead-letter-exchange": DEAD_LETTERS}
        )
        await queue.bind(exchange, key)
    await (await channel.declare_queue(DEAD_LETTER_QUEUE, durable=True)).bind(DEAD_LETTERS)


async def consume(
    consumers: list[Consumer], ready: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Take messages for as long as the process lives; `ready` is called after each connect."""
    is_told = False
    while True:
        try:
            connection = await connect()
            is_told = False
            try:
                await _consume_until_closed(connection, consumers, ready)
            finally:
                await _close(connection)
        except AWAY as error:
            if not is_told:
                log.warning("the broker is away, trying again and again: %r", error)
            is_told = True
        await asyncio.sleep(PAUSE)


async def _consume_until_closed(
    connection: AbstractConnection,
    consumers: list[Consumer],
    ready: Callable[[], Awaitable[None]] | None,
) -> None:
    closed = asyncio.Event()
    connection.close_callbacks.add(lambda *_: closed.set())
    for consumer in consumers:
        await _start(await connection.channel(), consumer)
    if ready is not None:
        await ready()
    await closed.wait()


async def _close(connection: AbstractConnection) -> None:
    with suppress(*AWAY):
        async with asyncio.timeout(CONNECT_WITHIN):
            await connection.close()


async def _start(channel: AbstractChannel, consumer: Consumer) -> None:
    await declare(channel)
    await channel.set_qos(prefetch_count=consumer.at_once)
    arguments: dict[str, Any] = {}
    if not consumer.is_temporary and consumer.queue != DEAD_LETTER_QUEUE:
        arguments["x-dead-letter-exchange"] = DEAD_LETTERS
    if consumer.ttl is not None:
        arguments["x-message-ttl"] = int(consumer.ttl * 1000)
    queue = await channel.declare_queue(
        consumer.queue,
        durable=not consumer.is_temporary,
        exclusive=consumer.is_temporary,
        auto_delete=consumer.is_temporary,
        arguments=arguments,
    )
    if consumer.bind is not None:
        await queue.bind(*consumer.bind)

    async def take(message: AbstractIncomingMessage) -> None:
        await _take(consumer, message)

    await queue.consume(take)


async def _take(consumer: Consumer, message: AbstractIncomingMessage) -> None:
    """Acknowledge a message once it is seen to; one that can't be is a dead letter."""
    # A task of its own: aio-pika cancels this one when the broker goes away.
    handling = asyncio.create_task(_handle(consumer, message.body))
    _handling.add(handling)
    handling.add_done_callback(_handling.discard)
    try:
        await asyncio.shield(handling)
    except Exception:
        log.exception("%s: message %s is a dead letter", consumer.queue, message.body)
        settle = message.reject(requeue=False)
    else:
        settle = message.ack()
    try:
        await settle
    except AWAY as error:  # it comes again, and is known then
        log.warning("%s: the broker has not heard of the end: %r", consumer.queue, error)


async def _handle(consumer: Consumer, body: bytes) -> None:
    await consumer.handle(json.loads(body))
