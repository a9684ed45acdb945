"""Env files that a stack reads and git does not have: what their examples say stands for them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.settings.env_file import read_env_file
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.yaml_text import read_yaml
from stackproof.stack_file.regular_files import read_text_file

ENDINGS = (".example", ".sample", ".template", ".dist", ".tmpl")


def example_of(path: Path) -> Path | None:
    """The example of an env file; None where it has none.

    Args:
        path: The env file, such as `.env`.
    """
    names = [f"{path.name}{ending}" for ending in ENDINGS]
    names += [f"{path.name.lstrip('.')}{ending}" for ending in ENDINGS]
    names += [f"{ending.lstrip('.')}{path.name}" for ending in ENDINGS]  # example.env
    return next((path.parent / name for name in names if (path.parent / name).is_file()), None)


def named_env_files(files: Sequence[Path]) -> list[Path]:
    """The files that services name under `env_file` and can't do without.

    Args:
        files: The Compose files.
    """
    base = host_path("", files[0].parent.absolute())
    return list(dict.fromkeys(path for file in files for path in _named(file, base)))


def _named(file: Path, base: Path) -> Iterator[Path]:
    services = Field(read_yaml(file), "").get("services")
    if services is None or not isinstance(services.value, dict):
        return
    for service in services.mapping().values():
        named = service.get("env_file") if isinstance(service.value, dict) else None
        for entry in named.entries() if named else ():
            value = entry.value
            if isinstance(value, dict):
                required = value.get("required")
                path = value.get("path")
                value = None if required and required.value is False else path and path.value
            if isinstance(value, str) and "$" not in value:
                yield host_path(value, base)


def missing_env_files(files: Sequence[Path]) -> dict[Path, Path]:
    """Env files that are not there though services need them, with their examples.

    Args:
        files: The Compose files.
    """
    missing = [path for path in named_env_files(files) if not os.path.lexists(path)]
    return {path: example for path in missing if (example := example_of(path))}


def example_values(folder: Path, root: Path) -> Mapping[str, str]:
    """What the example of the project's `.env` says, where git does not have `.env` itself.

    Args:
        folder: The folder of the Compose file.
        root: The project's folder, which has `.gitignore`.
    """
    dotenv = folder / ".env"
    example = example_of(dotenv)
    if example is None or (dotenv.exists() and not is_ignored(root, dotenv)):
        return {}
    try:
        found = read_env_file(example)
    except ConfigError:
        return {}
    return {name: entry.value for name, entry in found.items() if entry.value}


def is_ignored(root: Path, path: Path) -> bool:
    """Whether `.gitignore` of the project, or of the file's folder, leaves out an env file.

    Args:
        root: The project's folder.
        path: The file.
    """
    for folder in {root, path.parent}:
        try:
            lines = read_text_file(folder / ".gitignore", errors="replace").splitlines()
        except OSError:
            continue
        for line in map(str.strip, lines):
            pattern = line.strip("/").removeprefix("**/")
            if not line.startswith(("#", "!")) and pattern and Path(path.name).match(pattern):
                return True
    return False
