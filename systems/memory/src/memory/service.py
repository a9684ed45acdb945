"""What a server process does: answers calls, works on jobs, writes summaries, tidies up stores."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from memory import tools
from memory.attachments import Attachments
from memory.chat import Chats
from memory.database import Database
from memory.history import Summaries
from memory.jobs import Jobs
from memory.providers import Providers
from memory.refusals import ToolFailedError
from memory.settings import Settings

IDLE_SECONDS = 0.1
"""How often work of other processes is looked for."""

log = logging.getLogger(__name__)


class Service:
    """A server without its transport.

    Args:
        settings: Where its home is, and all limits.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database, settings.database_patience)
        self.database.create()
        providers = Providers(settings)
        self.attachments = Attachments(self.database, providers, settings)
        self.chats = Chats(self.database, providers, self.attachments, settings)
        self.jobs = Jobs(self.database, settings)
        self.summaries = Summaries(self.database, providers, settings)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to work on what was left to do."""
        self._run("summaries", self.summaries.write_next)
        for number in range(self.settings.job_workers):
            self._run(f"jobs-{number}", lambda: self.jobs.run_next(self.call))
        self._run("leases", self._renew, every=min(self.settings.lease / 3, 1.0))
        self._run("sweep", self._sweep, every=1.0)

    def stop(self) -> None:
        """Begin no more work. What runs is taken over by others, or by the next process."""
        self._over.set()

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a call.

        Args:
            tool: Name of the tool.
            arguments: Its arguments.

        Raises:
            InvalidCallError: If there is no such tool, or an argument is missing or wrong.
            ToolFailedError: If it can't answer.
        """
        return tools.call(self, tool, arguments)

    def _renew(self) -> bool:
        for work in (self.jobs, self.summaries, self.attachments.made):
            work.claims.renew()
        return False

    def _sweep(self) -> bool:
        self.attachments.sweep()
        return False

    def _run(self, name: str, work: Callable[[], bool], *, every: float = IDLE_SECONDS) -> None:
        def loop() -> None:
            while not self._over.is_set():
                try:
                    busy = work()
                except ToolFailedError as failure:
                    log.warning("%s: %s", name, failure)
                    busy = False
                except Exception:
                    log.exception("%s has failed", name)
                    busy = False
                if not busy:
                    self._over.wait(every)

        thread = threading.Thread(target=loop, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
