"""Which Python program a command runs, and whether a fork server can begin it.

Sources: the Python documentation of the command line; execve(2), "Interpreter scripts".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PYTHON = re.compile(r"python(\d+(\.\d+)?)?")
_MOST_OF_A_LINE = 256


@dataclass(frozen=True)
class Entry:
    """A Python program.

    Attributes:
        python: Interpreter of its virtualenv.
        script: File that it runs; empty for a module.
        module: Module that it runs.
        arguments: What follows in the command.
        argv: The command as `/proc/PID/cmdline` would show it.
        cold: Why no fork server can begin it; all others are empty then.
    """

    python: Path = Path()
    script: str = ""
    module: str = ""
    arguments: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    cold: str = ""

    @property
    def name(self) -> str:
        """The program, without its arguments."""
        return self.module or self.script


def entry_of(argv: Sequence[str], virtualenv: Path, environment: Mapping[str, str]) -> Entry:
    """The Python program that a command runs.

    Args:
        argv: The command, its program as an absolute path.
        virtualenv: Of the service.
        environment: Of the service.
    """
    python = virtualenv / "bin" / "python"
    program = Path(argv[0])
    if _PYTHON.fullmatch(program.name):
        if program.parent != python.parent:
            return Entry(cold=f"{program} is not the interpreter of its virtualenv")
        return _of_interpreter(tuple(argv), python, environment)
    interpreter = _interpreter_of(program)
    if Path(interpreter).parent != python.parent or not _PYTHON.fullmatch(Path(interpreter).name):
        return Entry(cold=f"{program.name} is no Python program of its virtualenv")
    shown = (interpreter, str(program), *argv[1:])
    return Entry(python, str(program), "", tuple(argv[1:]), shown)


def _of_interpreter(argv: tuple[str, ...], python: Path, environment: Mapping[str, str]) -> Entry:
    words = list(argv[1:])
    while words[:1] == ["-u"] and environment.get("PYTHONUNBUFFERED"):
        del words[0]
    if words[:1] == ["-m"] and len(words) > 1:
        return Entry(python, "", words[1], tuple(words[2:]), argv)
    if not words or words[0].startswith("-"):
        return Entry(cold=f"it starts with `{' '.join(argv[:2])}`")
    return Entry(python, words[0], "", tuple(words[1:]), argv)


def _interpreter_of(program: Path) -> str:
    """What the first line of a script names; empty where it names none, or with options."""
    try:
        with program.open("rb") as file:
            line = file.readline(_MOST_OF_A_LINE)
    except OSError:
        return ""
    name = line[2:].decode(errors="replace").strip() if line.startswith(b"#!") else ""
    return "" if " " in name else name
