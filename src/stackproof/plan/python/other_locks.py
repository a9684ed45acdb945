"""The versions in the locks of Poetry, PDM and Pipenv, as constraints for another installer."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackproof.errors import ConfigError
from stackproof.plan.python.projects import project_tables
from stackproof.stack_file.regular_files import read_text_file

NAMES = {"poetry": "poetry.lock", "pdm": "pdm.lock", "pipenv": "Pipfile.lock"}
"""Tool to the name of its lock."""


def locked_versions(lock: Path) -> list[str]:
    """Each package of a lock with its version; those that have several by platform are left out.

    Args:
        lock: A `poetry.lock`, `pdm.lock` or `Pipfile.lock`.

    Raises:
        ConfigError: If it can't be read.
    """
    try:
        text = read_text_file(lock)
        pairs = (
            _pipenv(json.loads(text))
            if lock.suffix == ".lock" and text.lstrip()[:1] == "{"
            else (_toml(tomllib.loads(text)))
        )
        found = list(pairs)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError("the lock can't be read", source=lock, observed=str(error)) from error
    count = Counter(name for name, _ in found)
    return [f"{name}=={version}" for name, version in found if count[name] == 1]


def _toml(lock: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    packages = lock.get("package")
    for package in packages if isinstance(packages, list) else ():
        is_from_index = (
            isinstance(package, dict) and "path" not in package and not _is_local(package)
        )
        if is_from_index and "name" in package and "version" in package:
            yield str(package["name"]), str(package["version"])


def _is_local(package: Mapping[str, Any]) -> bool:
    source = package.get("source")
    kind = source.get("type") if isinstance(source, dict) else ""
    return "path" in package or kind in {"directory", "file", "git", "url"}


def _pipenv(lock: object) -> Iterator[tuple[str, str]]:
    packages = lock.get("default") if isinstance(lock, dict) else None
    for name, about in packages.items() if isinstance(packages, dict) else ():
        version = about.get("version") if isinstance(about, dict) else None
        if isinstance(version, str) and version.startswith("=="):
            yield str(name), version.removeprefix("==")


def poetry_requirements(folder: Path, groups: tuple[str, ...]) -> list[str]:
    """The packages that a project names in Poetry's own form; their versions are in its lock.

    Args:
        folder: The project.
        groups: Groups beside the main one.
    """
    poetry = project_tables(folder).poetry
    tables = [poetry.get("dependencies")]
    known = poetry.get("group")
    for group in groups:
        table = known.get(group) if isinstance(known, dict) else None
        tables.append(table.get("dependencies") if isinstance(table, dict) else None)
    return [
        line
        for table in tables
        if isinstance(table, dict)
        for name, wanted in table.items()
        if name != "python" and (line := _poetry_line(name, wanted))
    ]


def _poetry_line(name: str, wanted: object) -> str:
    if not isinstance(wanted, dict):
        return name
    if wanted.get("optional") or "path" in wanted:
        return ""
    extras = wanted.get("extras")
    written = f"{name}[{','.join(map(str, extras))}]" if isinstance(extras, list) else name
    if isinstance(wanted.get("git"), str):
        revision = next((wanted[key] for key in ("rev", "tag", "branch") if key in wanted), "")
        return f"{written} @ git+{wanted['git']}" + (f"@{revision}" if revision else "")
    if isinstance(wanted.get("url"), str):
        return f"{written} @ {wanted['url']}"
    return f"{written} ; {wanted['markers']}" if isinstance(wanted.get("markers"), str) else written
