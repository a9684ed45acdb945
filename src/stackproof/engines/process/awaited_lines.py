"""The lines that a service's log probes wait for."""

from __future__ import annotations

import asyncio
import contextlib
import re

from stackproof.engines.process.capture import LogFile


class AwaitedLines:
    """Knows which patterns a service has written since its start, at the moment it writes them.

    Args:
        log: Its log, which calls this for every line.
    """

    def __init__(self, log: LogFile) -> None:
        self._log = log
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._seen: set[str] = set()
        self._news = asyncio.Event()
        log.on_line = self._look_at

    def forget(self) -> None:
        """Begin anew, since the service does."""
        self._seen.clear()

    def has(self, text: str) -> bool:
        """Whether a line with this pattern has been written."""
        if text not in self._patterns:
            self._patterns[text] = re.compile(text)
            for line in self._log.tail:
                self._look_at(line)
        return text in self._seen

    async def pause(self, seconds: float) -> None:
        """Let some time pass, and no more than it takes until an awaited line is written."""
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def _look_at(self, line: str) -> None:
        for text, pattern in self._patterns.items():
            if text not in self._seen and pattern.search(line):
                self._seen.add(text)
                self._news.set()
