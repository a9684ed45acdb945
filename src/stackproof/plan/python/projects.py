"""What the files of a Python project say of it: its metadata, its lock, where its packages are."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from stackproof.errors import ConfigError
from stackproof.stack_file.regular_files import read_text_file, real_path, shown_path

LOCKS = ("requirements.lock", "requirements.txt", "uv.lock", "requirements/prod.txt")
"""Where the dependencies of a project are looked for, in this order."""

_BUILDERS = ("hatchling", "flit_core", "poetry", "poetry_core", "pdm", "setuptools", "uv_build")
"""Build backends, by the first part of their names, that need not run to know a static project."""


@dataclass(frozen=True)
class ProjectTables:
    """The tables of a pyproject.toml that matter here; empty where there is none."""

    project: Mapping[str, Any] = field(default_factory=dict)
    poetry: Mapping[str, Any] = field(default_factory=dict)
    tool: Mapping[str, Any] = field(default_factory=dict)
    builder: str = ""
    has_builder: bool = False


@dataclass(frozen=True)
class Metadata:
    """What an installed project would say of itself, known without building it.

    Attributes:
        name: Its name.
        version: Its version.
        dependencies: Its requirements.
        extras: Its optional requirements, by extra.
        entry_points: Group to name to object; programs are in `console_scripts`.
    """

    name: str
    version: str
    dependencies: tuple[str, ...] = ()
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    entry_points: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def requirements(self, extras: Iterable[str]) -> list[str]:
        """The requirements with those of some extras; an extra that names others has theirs too."""
        found = list(self.dependencies)
        waiting, seen = list(extras), set[str]()
        while waiting:
            extra = waiting.pop()
            if extra in seen:
                continue
            seen.add(extra)
            for line in self.extras.get(extra, ()):
                own = line.partition("[")
                if own[0].strip() == self.name and own[1]:
                    waiting += [part.strip() for part in own[2].partition("]")[0].split(",")]
                else:
                    found.append(line)
        return found


def find_lock(project: Path) -> Path | None:
    """The file that pins the project's dependencies; None where there is none."""
    return next((project / name for name in LOCKS if (project / name).is_file()), None)


def find_workspace_lock(project: Path) -> Path | None:
    """The `uv.lock` of a project, or of the workspace that it is a member of."""
    folders = (project, *project.parents)
    return next((path for folder in folders if (path := folder / "uv.lock").is_file()), None)


def is_project(folder: Path) -> bool:
    """Whether a folder holds what pip can install."""
    tables = project_tables(folder)
    return (
        bool(tables.project or tables.poetry or tables.has_builder)
        or (folder / "setup.py").is_file()
    )


def project_tables(folder: Path) -> ProjectTables:
    """The pyproject.toml of a folder.

    Raises:
        ConfigError: If it can't be read, or is no TOML.
    """
    path = folder / "pyproject.toml"
    if not path.is_file():
        return ProjectTables()
    try:
        found = tomllib.loads(read_text_file(path))
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise ConfigError("the file can't be read", source=path, observed=what) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what = f"this is not TOML: {shown_path(path)}"
        raise ConfigError(what, source=path, observed=str(error)) from error
    tool, system = _table(found, "tool"), _table(found, "build-system")
    return ProjectTables(
        _table(found, "project"),
        _table(tool, "poetry"),
        tool,
        str(system.get("build-backend", "")),
        bool(system),
    )


def static_metadata(folder: Path) -> Metadata | None:
    """What a project would say of itself; None where only its build backend knows.

    Raises:
        ConfigError: If its pyproject.toml can't be read.
    """
    tables = project_tables(folder)
    builder = tables.builder.partition(".")[0] or "setuptools"
    if builder not in _BUILDERS or (folder / "setup.py").is_file() or _has_own_layout(tables):
        return None
    about = {**tables.poetry, **tables.project}
    dynamic = tables.project.get("dynamic", [])
    unknown = {"version", "dependencies", "optional-dependencies", "scripts", "entry-points"}
    if not isinstance(dynamic, list) or unknown & set(map(str, dynamic)):
        return None
    if not isinstance(about.get("name"), str) or not isinstance(about.get("version"), str):
        return None
    if "dependencies" in tables.poetry and "dependencies" not in tables.project:
        return None  # in Poetry's own form
    scripts = {**_table(tables.poetry, "scripts"), **_table(tables.project, "scripts")}
    points = {**_table(tables.poetry, "plugins"), **_table(tables.project, "entry-points")}
    return Metadata(
        about["name"],
        about["version"],
        _texts(tables.project.get("dependencies", [])),
        {key: _texts(v) for key, v in _table(tables.project, "optional-dependencies").items()},
        {
            group: {name: entry for name, entry in names.items() if isinstance(entry, str)}
            for group, names in {**points, "console_scripts": scripts}.items()
            if isinstance(names, Mapping) and names
        },
    )


def has_sources(folder: Path) -> bool:
    """Whether a project tells uv where some of its dependencies are from."""
    return bool(_table(project_tables(folder).tool, "uv", "sources"))


def source_folders(folder: Path) -> tuple[Path, ...]:
    """The folders that such dependencies are in: paths, and the workspace of the project."""
    found: dict[Path, None] = {}
    for source in _table(project_tables(folder).tool, "uv", "sources").values():
        if isinstance(source, Mapping) and isinstance(source.get("path"), str):
            found[real_path(folder, source["path"])] = None
        elif isinstance(source, Mapping) and source.get("workspace"):
            roots = (path for path in (folder, *folder.parents) if _is_workspace(path))
            found |= dict.fromkeys(islice(roots, 1))
    return tuple(path for path in found if path.is_dir())


def _is_workspace(folder: Path) -> bool:
    return "workspace" in _table(project_tables(folder).tool, "uv")


def source_roots(folder: Path) -> tuple[Path, ...]:
    """The folders that the project's packages are imported from.

    Raises:
        ConfigError: If its pyproject.toml can't be read.
    """
    named = dict.fromkeys(folder / name for name in _roots(project_tables(folder)))
    found = tuple(path for path in named if path.is_dir())
    if found:
        return found
    return (folder / "src",) if (folder / "src").is_dir() else (folder,)


def _roots(tables: ProjectTables) -> Iterator[str]:
    """Folders that the settings of build backends name."""
    packages = _table(tables.tool, "hatch", "build", "targets", "wheel").get("packages")
    for name in packages if isinstance(packages, list) else ():
        yield str(name).rpartition("/")[0] or "."
    setuptools = _table(tables.tool, "setuptools")
    yield from _texts(_table(setuptools, "packages", "find").get("where", []))
    folders = _table(setuptools, "package-dir")
    if isinstance(folders.get(""), str):
        yield folders[""]
    included = tables.poetry.get("packages")
    for package in included if isinstance(included, list) else ():
        if isinstance(package, Mapping) and isinstance(package.get("from"), str):
            yield package["from"]
    pdm = _table(tables.tool, "pdm", "build").get("package-dir")
    if isinstance(pdm, str):
        yield pdm
    module_root = _table(tables.tool, "uv", "build-backend").get("module-root")
    if isinstance(module_root, str):
        yield module_root or "."


def _has_own_layout(tables: ProjectTables) -> bool:
    """Whether packages get other names or places than they have in the project's folder."""
    wheel = _table(tables.tool, "hatch", "build", "targets", "wheel")
    folders = _table(tables.tool, "setuptools", "package-dir")
    return bool(
        {"sources", "force-include"} & set(wheel)
        or set(folders) - {""}
        or "ext-modules" in _table(tables.tool, "setuptools")
        or "build" in tables.poetry
    )


def _table(parent: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        found = parent.get(name)
        parent = found if isinstance(found, Mapping) else {}
    return parent


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
