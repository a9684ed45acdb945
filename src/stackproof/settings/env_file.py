"""`.env.integration`: made from its example on first use, and read line by line."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.stack_file.regular_files import read_file, read_text_file

ENV_FILE = ".env.integration"
EXAMPLE = ".env.integration.example"

MOST_BLANKS = 1000
"""Blanks in a row; python-dotenv looks at each of them again from each other one."""

_BLANKS = re.compile(rf"(?<![ \t])[ \t]{{{MOST_BLANKS}}}")

OWN_PREFIX = "STACKPROOF_"
"""Variables that begin so are settings; all others are for `${…}` of the stack file."""


@dataclass(frozen=True)
class EnvValue:
    """One line of an env file."""

    value: str
    line: int


def ensure_env_file(root: Path) -> bool:
    """Make `.env.integration` from its example where there is an example and no file yet.

    Args:
        root: The project's folder.

    Returns:
        Whether it was made now. It appears all at once, readable by its owner only.

    Raises:
        ConfigError: If the example can't be read or the file can't be written.
    """
    target, example = root / ENV_FILE, root / EXAMPLE
    if os.path.lexists(target) or not example.is_file():
        return False
    try:
        handle, name = tempfile.mkstemp(prefix=ENV_FILE, dir=root)  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(read_file(example))
            os.link(name, target)  # fails where somebody else was faster, and replaces nothing
        finally:
            Path(name).unlink()
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(
            f"{ENV_FILE} can't be made from {EXAMPLE}", source=root, observed=str(error)
        ) from error
    return True


def read_env_file(path: Path) -> Mapping[str, EnvValue]:
    """Read an env file: `NAME=value` lines, quotes and comments as python-dotenv has them.

    `${NAME}` inside a value is left as it is: the order of the layers decides, not the file.

    Args:
        path: The file; one that does not exist is empty.

    Raises:
        ConfigError: If the file can't be read, or a line is no assignment.
    """
    from dotenv.parser import parse_stream

    found: dict[str, EnvValue] = {}
    try:
        text = read_text_file(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(
            "the file can't be read",
            source=path.name,
            observed=error.strerror or str(error),
            remedy="make it a text file of NAME=value lines",
        ) from error
    blanks = _BLANKS.search(text)
    if blanks is not None:
        raise ConfigError(
            f"more than {MOST_BLANKS} blanks stand in a row",
            source=path.name,
            line=text.count("\n", 0, blanks.start()) + 1,
            remedy="remove them",
        )
    for binding in parse_stream(StringIO(text)):
        line = binding.original.line + _blank_lines_before(binding.original.string)
        if binding.error or (binding.key is not None and binding.value is None):
            raise ConfigError(
                "this line is no assignment",
                source=path.name,
                line=line,
                remedy="write NAME=value, or begin the line with # to make it a comment",
            )
        if binding.key is None:
            continue
        if binding.key in found:
            raise ConfigError(
                f"{binding.key} is set twice",
                source=path.name,
                line=line,
                observed=f"first in line {found[binding.key].line}",
                remedy="remove one of them",
            )
        found[binding.key] = EnvValue(binding.value or "", line)
    return found


def _blank_lines_before(text: str) -> int:
    """The parser counts the blank lines before an assignment as part of it."""
    return text[: len(text) - len(text.lstrip())].count("\n")


def example_names(root: Path) -> frozenset[str] | None:
    """The names that the example explains, commented-out ones included; None without an example."""
    path = root / EXAMPLE
    if not path.is_file():
        return None
    names = set(read_env_file(path))
    for line in read_text_file(path).splitlines():
        name, equals, _ = line.lstrip("# ").partition("=")
        if line.lstrip().startswith("#") and equals and name.isidentifier() and name.isupper():
            names.add(name)
    return frozenset(names)
