"""Notes which packages a program imports, for the next start to have them ahead."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

SIZE = 1 << 20
"""Bytes of names that are noted; what LiteLLM imports has 90,000."""


class Notes:
    """Names of modules in memory that this process shares with its copies."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE)
        self._end = 0

    def add(self, name: str) -> None:
        """Note a name; called in one copy."""
        text = f"{name}\n".encode()
        if self._end + len(text) < SIZE:
            self._memory[self._end : self._end + len(text)] = text
            self._end += len(text)

    def names(self) -> list[str]:
        """All names that were noted, the earliest first."""
        text = self._memory[:].rstrip(b"\0").decode()
        return list(dict.fromkeys(text.split("\n")[:-1]))


class Recorder:
    """A finder that finds nothing, and notes each name it is asked for.

    Args:
        notes: Where.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol's
    ) -> ModuleSpec | None:
        """Nothing, so that the others are asked."""
        self._notes.add(fullname)
        return None


def record(notes: Notes) -> None:
    """Note each import from now on."""
    sys.meta_path.insert(0, Recorder(notes))
