"""`environment:` and `env_file:` of a service.

Source: the Compose Specification, "environment" and "env_file".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.stack_file.env_format import parse_env_text
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.regular_files import read_text_file, shown_path


def read_environment(service: Field, base: Path, variables: Interpolation) -> dict[str, str]:
    """The environment of a service: its files, in order, then its own entries.

    Args:
        service: The service.
        base: What relative paths are resolved against.
        variables: Where a variable without a value is looked up.

    Raises:
        ConfigError: If a file is missing or wrong, or a value has the wrong type.
    """
    found: dict[str, str] = {}
    files = service.get("env_file")
    for entry in files.entries() if files else ():
        found |= _read_file(entry, base, variables, found)
    own = service.read("environment", lambda field: _own(field, variables), {})
    return {name: value for name, value in {**found, **own}.items() if value is not None}


def _read_file(
    field: Field, base: Path, variables: Interpolation, earlier: Mapping[str, str]
) -> dict[str, str]:
    required, written = True, field
    if isinstance(field.value, dict):
        if field.get("format") is not None:
            field.child("format").fail("stackproof reads env files in Compose's own format alone",
                                       remedy="remove the key")  # fmt: skip
        required, written = field.read("required", Field.boolean, default=True), field.child("path")
    path = host_path(written.text(), base)
    try:
        text = read_text_file(path, any_line_ends=True)
    except FileNotFoundError:
        if required:
            field.fail(f"the env_file {shown_path(path)} does not exist",
                       remedy="create it, or write required: false")  # fmt: skip
        return {}
    except OSError as error:
        field.fail(
            f"the env_file {shown_path(path)} can't be read: {error.strerror}",
            remedy="name a text file of KEY=value lines",
        )
    return parse_env_text(text, path, variables, earlier)


def _own(field: Field, variables: Interpolation) -> dict[str, str | None]:
    """Its own entries; None takes away what an env file gave."""
    found = passed_through(field, variables)
    for name, value in found.items():
        if not name or "\0" in name + (value or ""):
            field.fail(
                f"{name!r} can't be set: its name is empty, or its value has a NUL character"
            )
    return found


def passed_through(field: Field, variables: Interpolation) -> dict[str, str | None]:
    """Texts by key; a key without a value has that of the variable of its name, if it is set."""
    found: dict[str, str | None] = {}
    for name, value in field.pairs():
        text = value.text() if isinstance(value, Field) else value
        found[name] = variables.look_up(name) if text is None else text
    return found


def read_dotenv(folder: Path, variables: Interpolation) -> dict[str, str]:
    """The `.env` of a project folder, which stands behind the given variables.

    Args:
        folder: The project folder.
        variables: What its `${…}` are looked up in.
    """
    path = folder / ".env"
    try:
        text = read_text_file(path, any_line_ends=True)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"this file can't be read: {error.strerror}", source=path,
                          remedy="make it a text file of KEY=value lines")  from None  # fmt: skip
    return parse_env_text(text, path, variables)
