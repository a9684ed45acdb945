"""What a container writes from its present start on, as it comes: no asking again and again."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from typing import Any

from docker import DockerClient
from docker.errors import DockerException

from stackproof.engines.compose.containers import split_stamp

STAMP = len("2026-01-31T12:00:00.000000")
"""The part of a time that Docker's two ways of writing it have in common."""


class LogWatch:
    """Follows the lines of one start of a container in a thread of its own.

    Args:
        client: The Docker Engine.
        container: The container's id.
        started_at: When it was started, in Docker's words: older lines do not count.
        tell: Called from the thread for news.
    """

    def __init__(
        self, client: DockerClient, container: str, started_at: str, tell: Callable[[], None]
    ) -> None:
        self._since = started_at[:STAMP]
        self._tell = tell
        self._lines: list[str] = []
        self._stream: Any = client.api.logs(
            container, stream=True, follow=True, timestamps=True, stdout=True, stderr=True
        )
        threading.Thread(target=self._follow, daemon=True).start()

    def has(self, pattern: str) -> bool:
        """Whether a line with a pattern was written."""
        return any(re.search(pattern, line) for line in self._lines)

    def close(self) -> None:
        """Stop following."""
        with contextlib.suppress(Exception):  # the connection may be gone
            self._stream.close()

    def _follow(self) -> None:
        rest = ""
        with contextlib.suppress(DockerException, OSError, ValueError, AttributeError):
            for chunk in self._stream:  # closing it from outside ends it, in one of these ways
                *lines, rest = (rest + chunk.decode(errors="replace")).split("\n")
                for line in lines:
                    at, text = split_stamp(line)
                    if at >= self._since:
                        self._lines.append(text)
                if lines:
                    self._tell()
