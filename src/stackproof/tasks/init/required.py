"""Values for variables that a stack file requires (`${NAME:?…}`) and that nothing sets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from stackproof.settings import Settings
from stackproof.stack_file import StackFile, load_stack_file
from stackproof.stack_file.interpolation import RequiredVariable

ENDING = "-made-by-init"


def with_made_values(
    files: Sequence[Path], variables: Mapping[str, str], left_out: Collection[str] = ()
) -> tuple[StackFile, dict[str, str]]:
    """Read a stack file; each variable that it requires and nothing sets gets a value.

    Args:
        files: The Compose files.
        variables: What is set.
        left_out: Services that the copy leaves out.

    Returns:
        The stack file, and the values that were made.

    Raises:
        ConfigError: If it is wrong otherwise.
    """
    made: dict[str, str] = {}
    while True:
        try:
            return load_stack_file(files, {**variables, **made}, left_out=left_out), made
        except RequiredVariable as error:
            if error.name in made:
                raise
            made[error.name] = f"{error.name.lower().replace('_', '-')}{ENDING}"


def made_notes(settings: Settings) -> list[str]:
    """What a person should know of values that were made."""
    return [
        f"decide: the stack file requires {name}, which nothing sets; `variables` of "
        f"config/{settings.stack}.yaml has a made-up value"
        for name, value in settings.variables.items()
        if value.endswith(ENDING)
    ]
