"""The arguments that a stack file gives to the server of a known image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from stackproof.errors import ConfigError
from stackproof.stack_file.reading.scalars import LONGEST_SHOWN

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
LONGEST_COMMAND = 200

_SHELLS = frozenset({"sh", "bash", "ash"})
_ENTRYPOINTS = ("docker-entrypoint.sh", "docker-ensure-initdb.sh")


_DOES_MORE = re.compile(r"[;&|<>`\n]|\$\(")


def is_script(argv: Sequence[str]) -> bool:
    """Whether a shell is to do more than to start one program.

    Args:
        argv: Entrypoint and command of the service.
    """
    words = [word for word in argv if _name(word) not in _ENTRYPOINTS]
    if len(words) < 3 or _name(words[0]) not in _SHELLS or not words[1].startswith("-"):  # noqa: PLR2004 - sh -c text
        return False
    return _DOES_MORE.search(re.sub(r"'[^']*'|\"[^\"`$]*\"", "", words[2])) is not None


def server_arguments(
    argv: Sequence[str], environment: Mapping[str, str], programs: Sequence[str]
) -> tuple[str, ...]:
    """What follows the server's name in a command, also inside `sh -c "…"`.

    Args:
        argv: Entrypoint and command of the service.
        environment: What variables in a shell text stand for.
        programs: Names of the server.

    Returns:
        The arguments; all of the command where it begins with an option.

    Raises:
        ConfigError: If a shell is to do more than to start the server.
    """
    words = list(argv)
    if is_script(words):
        raise ConfigError(
            f"a command does more than to start {programs[0]}",
            observed=" ".join(words)[:LONGEST_COMMAND],
            remedy=f"let it start {programs[0]} alone, or use --engine compose",
        )
    if len(words) > 2 and _name(words[0]) in _SHELLS and words[1].startswith("-"):  # noqa: PLR2004 - sh -c text
        text = _VARIABLE.sub(lambda match: environment.get(match[1] or match[2], ""), words[2])
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise ConfigError(
                "the command of a server can't be split into words",
                observed=f"{text[:LONGEST_SHOWN]!r}: {error}",
                remedy="close the quote, or write the command as a list",
            ) from None
    for number, word in enumerate(words):
        if _name(word) in programs:
            return tuple(words[number + 1 :])
    return tuple(word for word in words if _name(word) not in _ENTRYPOINTS)


def _name(word: str) -> str:
    return word.rsplit("/", 1)[-1]
