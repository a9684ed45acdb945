"""The watchers that are connected, and what each is told: once, and in order."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field

from automation.database import patiently
from automation.watching import AT_ONCE, Told, after, check_filter, last_position, selects

MOST_WAITING = 10_000
"""Messages that a slow watcher may be behind before it is cut off."""


@dataclass(eq=False)
class Client:
    """A watcher.

    Attributes:
        id: Its name, told in the welcome.
        filters: What it wants to know.
        outgoing: What it will be told next; None ends it.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    filters: list[str] = field(default_factory=list)
    outgoing: asyncio.Queue[Told | None] = field(default_factory=asyncio.Queue)

    def tell(self, told: Told) -> None:
        """Tell it, unless it is too far behind: then it is cut off, and may come back."""
        if self.outgoing.qsize() >= MOST_WAITING:
            self.filters.clear()
            told = {"type": "error", "message": "too slow"}
            self.outgoing.put_nowait(told)
            self.outgoing.put_nowait(None)
        else:
            self.outgoing.put_nowait(told)


class Clients:
    """All watchers; `position` is how far they have been told."""

    def __init__(self) -> None:
        self.connected: set[Client] = set()
        self.position: int | None = None
        self.told = 0
        self._one_at_a_time = asyncio.Lock()

    async def tell_news(self) -> None:
        """Tell each watcher what is new and meant for it."""
        async with self._one_at_a_time:
            if self.position is None:
                self.position = await patiently(last_position)
            while True:
                found = await patiently(after, self.position)
                for told in found:
                    self._tell_all(told)
                if len(found) < AT_ONCE:
                    return

    def _tell_all(self, told: Told) -> None:
        self.position = told["position"]
        for client in self.connected:
            if any(selects(one, told) for one in client.filters):
                client.tell(told)
                self.told += 1

    async def subscribe(self, client: Client, text: str, since: int | None) -> None:
        """Add a filter; with `since`, tell first what it selects after that position.

        Raises:
            FilterError: If the filter can't be read.
        """
        check_filter(text)
        async with self._one_at_a_time:
            position = (
                self.position if self.position is not None else await patiently(last_position)
            )
            self.position = position
            known = list(client.filters)
            if text not in client.filters:
                client.filters.append(text)
            client.tell({"type": "subscribed", "filter": text, "position": position})
            while since is not None and since < position:
                for told in await patiently(after, since):
                    since = told["position"]
                    if since > position:
                        return
                    if selects(text, told) and not any(selects(one, told) for one in known):
                        client.tell(told)

    def unsubscribe(self, client: Client, text: str) -> None:
        """Take a filter away."""
        check_filter(text)
        if text in client.filters:
            client.filters.remove(text)
        client.tell({"type": "unsubscribed", "filter": text})
