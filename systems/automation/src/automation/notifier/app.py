"""The ASGI application of the notifier: `/ws`, `/health`, `/stats`."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from automation import broker
from automation.broker import Body, Consumer
from automation.database import engine, wait_for_tables
from automation.health import health
from automation.notifier.clients import Client, Clients
from automation.security import user_of
from automation.service import set_up_log
from automation.settings import settings
from automation.watching import FilterError

log = logging.getLogger(__name__)

NOT_ALLOWED = 4401
TOO_SLOW = 1013

clients = Clients()
news = asyncio.Event()


async def watch(socket: WebSocket) -> None:
    """Talk to one watcher, who has a token in its header or in its address."""
    kind, _, token = socket.headers.get("authorization", "").partition(" ")
    if user_of(token if kind.lower() == "bearer" else socket.query_params.get("token", "")) is None:
        await socket.close(NOT_ALLOWED)
        return
    await socket.accept()
    client = Client()
    clients.connected.add(client)
    client.tell({"type": "welcome", "client_id": client.id, "message": "subscribe to be told"})
    sending = asyncio.create_task(_send(socket, client))
    try:
        while True:
            await _answer(client, await socket.receive_text())
    except (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        clients.connected.discard(client)
        sending.cancel()


async def _send(socket: WebSocket, client: Client) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        while (told := await client.outgoing.get()) is not None:
            await socket.send_text(json.dumps(told))
        await socket.close(TOO_SLOW)


async def _answer(client: Client, text: str) -> None:
    try:
        told = json.loads(text)
        kind = told["type"]
        if kind == "ping":
            client.tell({"type": "pong"})
        elif kind == "subscribe":
            since = told.get("after")
            await clients.subscribe(client, told["filter"], None if since is None else int(since))
        elif kind == "unsubscribe":
            clients.unsubscribe(client, told["filter"])
        else:
            client.tell({"type": "error", "message": f"unknown type {kind!r}"})
    except FilterError as error:
        client.tell({"type": "error", "message": str(error)})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        client.tell({"type": "error", "message": f"the message can't be read: {error!r}"})


async def stats(_: Request) -> Response:
    """How many watch, and how much they have been told."""
    told: dict[str, Any] = {
        "clients": len(clients.connected),
        "subscriptions": sum(len(client.filters) for client in clients.connected),
        "told": clients.told,
        "position": clients.position,
    }
    return JSONResponse({"data": told})


async def _on_news(_: Body) -> None:
    news.set()


async def _keep_telling() -> None:
    """Tell news when the broker says that there are some, and look now and then without it."""
    await wait_for_tables()
    while True:
        try:
            await clients.tell_news()
        except Exception:
            log.exception("watchers were not told")
        with suppress(TimeoutError):
            async with asyncio.timeout(settings().poll):
                await news.wait()
        news.clear()


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Listen to the broker."""
    queue = f"notifier.{settings().name}"
    consumer = Consumer(queue, _on_news, bind=(broker.NOTIFICATIONS, ""), is_temporary=True)
    tasks = [
        asyncio.create_task(broker.consume([consumer])),
        asyncio.create_task(_keep_telling()),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await engine().dispose()


set_up_log()
app = Starlette(
    routes=[Route("/health", health), Route("/stats", stats), WebSocketRoute("/ws", watch)],
    lifespan=lifespan,
)
