"""`.env.integration`: made from its example on first use, and read line by line."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.stack_file.env_format import assignments
from stackproof.stack_file.regular_files import read_file, read_text_file

ENV_FILE = ".env.integration"
EXAMPLE = ".env.integration.example"

OWN_PREFIX = "STACKPROOF_"
"""Variables that begin so are settings; all others are for `${…}` of the stack file."""


@dataclass(frozen=True)
class EnvValue:
    """One line of an env file."""

    value: str
    line: int


READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def ensure_env_file(root: Path) -> bool:
    """Make `.env.integration` from its example where there is an example and no file yet.

    Args:
        root: The project's folder.

    Returns:
        Whether it was made now. It appears all at once, readable by its owner only. In a project
        that can only be read none is made; the example is read then.

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
        if error.errno in READ_ONLY and str(error.filename).startswith(str(target)):
            return False
        raise ConfigError(
            f"{ENV_FILE} can't be made from {EXAMPLE}", source=root, observed=str(error)
        ) from error
    return True


def read_env_file(path: Path) -> Mapping[str, EnvValue]:
    """Read an env file: `NAME=value` lines, quotes and comments as in Compose's env files.

    `${NAME}` inside a value is left as it is: the order of the layers decides, not the file.

    Args:
        path: The file; one that does not exist is empty.

    Raises:
        ConfigError: If the file can't be read, or a line is no assignment.
    """
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
    found: dict[str, EnvValue] = {}
    for entry in assignments(text, path.name):
        if entry.value is None:
            entry.fail("this is not NAME=value", remedy="write NAME=value, or # before it")
        if entry.name in found:
            entry.fail(f"{entry.name} is set twice, first in line {found[entry.name].line}",
                       remedy="remove one of them")  # fmt: skip
        found[entry.name] = EnvValue(entry.plain(), entry.where.line or 0)
    return found


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
