"""Words after a task's name as values of one of its options: `invoke logs api worker --tail 20`.

Invoke itself has a fixed number of positional arguments; here it is told how many there are.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any

from invoke.parser.argument import Argument
from invoke.tasks import Task

PREFIX = "word "
"""How the names of these arguments begin, which no option has."""

TASKS: set[str] = set()
"""Names of all tasks, which end the words of a task."""


class TaskWithWords(Task[Any]):
    """A task that takes any number of words after its name."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """The task's options, and one argument for each word of the command line."""
        options = super().get_arguments(ignore_unknown_help)
        with_value = {flag for option in options if option.takes_value for flag in _flags(option)}
        count = len(words_after(self.name, sys.argv[1:], with_value, TASKS))
        return [*(Argument(f"{PREFIX}{at:03}", positional=True) for at in range(count)), *options]


def _flags(option: Argument) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in option.names]


def words_after(
    task: str, argv: Sequence[str], with_value: Collection[str], tasks: Collection[str]
) -> list[str]:
    """The words that stand after a task's name and are neither options, their values, nor tasks.

    Args:
        task: Name of the task.
        argv: The command line.
        with_value: Options of the task that take a value.
        tasks: Names of all tasks.
    """
    ours = list(argv[: argv.index("--")] if "--" in argv else argv)
    if task not in ours:
        return []
    found, before = [], ""
    for word in ours[ours.index(task) + 1 :]:
        if before not in with_value and not word.startswith("-"):
            if word in tasks:
                break
            found.append(word)
        before = word
    return found


def taken(options: dict[str, Any]) -> list[str]:
    """Take the words out of a task's arguments, in their order."""
    return [options.pop(name) for name in sorted(options) if name.startswith(PREFIX)]
