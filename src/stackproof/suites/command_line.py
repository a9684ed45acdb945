"""What stands after `--` on a session's command line, and what is wrong with it."""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from stackproof.errors import ConfigError

SIMILAR = 0.75
"""How much an unknown option must look like a known one to be taken for a misspelling."""


class SessionOptions(argparse.ArgumentParser):
    """A parser whose errors end one session instead of all of them."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise ConfigError(
            message, source="command line", remedy=f"`{self.prog} --help` lists the options"
        )


def read_options(
    parser: argparse.ArgumentParser, words: Sequence[str], root: Path
) -> tuple[argparse.Namespace, list[str]]:
    """The options of a session, and what is left for pytest.

    Args:
        parser: The session's options.
        words: What stands after `--`.
        root: The project's folder.

    Raises:
        ConfigError: If an option or a value is wrong, or a path of tests does not exist.
    """
    options, rest = parser.parse_known_args(list(words))
    own = [name for action in parser._actions for name in action.option_strings]  # noqa: SLF001 - argparse has no other way
    refuse_misspelt(rest, own, lambda: options_of_pytest(root))
    refuse_missing_paths(rest, root)
    return options, rest


def refuse_misspelt(
    rest: Sequence[str], own: Sequence[str], known_to_pytest: Callable[[], set[str]]
) -> None:
    """Refuse an option that nobody knows and that looks like a known one.

    Others may belong to a plugin of the session's environment, whose pytest judges them.

    Args:
        rest: What goes to pytest.
        own: Options of the session.
        known_to_pytest: Gives the options that pytest knows here; asked only if there are any.

    Raises:
        ConfigError: With the option that was probably meant.
    """
    asked = [word.partition("=")[0] for word in rest if word.startswith("--") and word != "--"]
    if not asked:
        return
    known = known_to_pytest()
    for option in asked:
        near = difflib.get_close_matches(option, {*own, *known}, n=1, cutoff=SIMILAR)
        if option not in known and near:
            raise ConfigError(
                f"neither this session nor pytest has the option {option}",
                source="command line",
                remedy=f"did you mean {near[0]}?",
            )


def options_of_pytest(root: Path) -> set[str]:
    """The long options of pytest, of its plugins here, and of the project's first conftest."""
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*", shown.stdout))


def refuse_missing_paths(rest: Sequence[str], root: Path) -> None:
    """Refuse a test file that does not exist.

    Args:
        rest: What goes to pytest.
        root: The project's folder.

    Raises:
        ConfigError: With the path.
    """
    for before, word in zip(["", *rest], rest, strict=False):
        path = word.partition("::")[0]
        if not before.startswith("-") and path.endswith(".py") and not (root / path).exists():
            raise ConfigError(f"there is no file {path}", source="command line")


def given_paths(rest: Sequence[str], root: Path) -> list[Path]:
    """The existing files and folders among what goes to pytest, ids of tests included."""
    paths = [root / word.partition("::")[0] for word in rest if not word.startswith("-")]
    return [path.resolve() for path in paths if path.exists()]
