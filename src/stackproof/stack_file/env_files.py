"""`environment:` and `env_file:` of a service.

Source: the Compose Specification, "environment" and "env_file".
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.stack_file.env_format import parse_env_text
from stackproof.stack_file.fields import Field
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.regular_files import read_text_file, shown_path


def read_environment(
    parts: Mapping[str, Field], base: Path, variables: Interpolation
) -> dict[str, str]:
    """The environment of a service: its files, in order, then its own entries.

    Args:
        parts: The fields of the service.
        base: What relative paths are resolved against.
        variables: Where a variable without a value is looked up.

    Raises:
        ConfigError: If a file is missing or wrong, or a value has the wrong type.
    """
    found: dict[str, str] = {}
    for one in _entries(parts.get("env_file")):
        found |= _read_file(one, base, variables, found)
    own = _own(parts["environment"], variables) if "environment" in parts else {}
    return {name: value for name, value in {**found, **own}.items() if value is not None}


def _entries(field: Field | None) -> list[Field]:
    if field is None:
        return []
    return field.sequence() if isinstance(field.value, list) else [field]


def _read_file(
    field: Field, base: Path, variables: Interpolation, earlier: Mapping[str, str]
) -> dict[str, str]:
    required = True
    if isinstance(field.value, dict):
        parts = field.mapping()
        required = parts["required"].boolean() if "required" in parts else True
        path = host_path(parts["path"].text(), base)
    else:
        path = host_path(field.text(), base)
    try:
        text = read_text_file(path)
    except FileNotFoundError:
        if required:
            field.fail(f"the env_file {shown_path(path)} does not exist",
                       remedy="make it, or write required: false")  # fmt: skip
        return {}
    except OSError as error:
        field.fail(
            f"the env_file {shown_path(path)} can't be read: {error.strerror}",
            remedy="name a text file of KEY=value lines",
        )
    return parse_env_text(io.StringIO(text), path, variables, earlier)


def _own(field: Field, variables: Interpolation) -> dict[str, str | None]:
    """Its own entries; None takes away what an env file gave."""
    found: dict[str, str | None] = {}
    for name, value in field.pairs():
        text = value.text() if isinstance(value, Field) else value
        found[name] = variables.look_up(name) if text is None else text
        if not name or "\0" in name + (found[name] or ""):
            field.fail(f"{name!r} can't be the name or value of a variable")
    return found


def read_dotenv(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The `.env` of a project folder, which stands behind the given environment.

    Args:
        folder: The project folder.
        environment: What its `${…}` are looked up in.
    """
    path = folder / ".env"
    try:
        text = read_text_file(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"it can't be read: {error.strerror}", source=path,
                          remedy="make it a text file of KEY=value lines")  from None  # fmt: skip
    return parse_env_text(io.StringIO(text), path, Interpolation(environment))
