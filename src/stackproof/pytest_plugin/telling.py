"""A word to the person who looks at pytest, while a test waits for its stack."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from stackproof.pytest_plugin.concealing import redactor_of
from stackproof.waiting import reminding


class Screen:
    """Standard error as it was before pytest began to capture it.

    Args:
        config: The session's configuration, which knows the secrets.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.stream: int | None = None
        with suppress(OSError):  # it may be closed
            self.stream = os.dup(2)

    def tell(self, line: str) -> None:
        """Write a line of its own, secrets masked."""
        if self.stream is not None:
            text = redactor_of(self.config).text(f"\nstackproof: {line}\n")
            os.write(self.stream, text.encode(errors="replace"))

    @contextmanager
    def waiting(self, what: Callable[[], str]) -> Iterator[None]:
        """Say every few seconds what is waited for.

        Args:
            what: Gives what it is at that moment.
        """
        with reminding(self.tell, what):
            yield

    def close(self) -> None:
        """Say nothing from now on."""
        if self.stream is not None:
            os.close(self.stream)
            self.stream = None
