"""What an installation needs, read from the files that it names, before anything is installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stackproof.engines.process.python.tree import tree_digest
from stackproof.plan.python.other_locks import locked_versions, poetry_requirements
from stackproof.plan.python.projects import has_sources, source_folders, static_metadata
from stackproof.plan.python.requirements import Requirements, read_requirements
from stackproof.plan.runtime import Install, LocalProject


@dataclass
class Prepared:
    """One installation, with all files read.

    Attributes:
        install: As it was planned.
        lines: Requirements and options, each a whole line.
        constraints: Lines of constraints.
        is_hashed: Whether `lines` have hashes.
        projects: Projects whose metadata are known: what they need is among the lines.
        in_place: Projects that uv reads where they are, for the sources that it has of packages.
        built: Projects that only their build backends know: copied, built and installed.
        lock: The text of uv's lock; it is exported when it is installed.
    """

    install: Install
    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    is_hashed: bool = False
    projects: list[LocalProject] = field(default_factory=list)
    in_place: list[LocalProject] = field(default_factory=list)
    built: list[LocalProject] = field(default_factory=list)
    lock: str = ""

    @property
    def key(self) -> list[object]:
        """All that decides about what is installed."""
        install = self.install
        return [
            install.tool,
            self.lines,
            self.constraints,
            install.options,
            install.groups,
            dict(install.environment),
            self.lock,
            [(str(project), tree_digest(project.folder)) for project in self.built],
            [
                (str(folder), tree_digest(folder))
                for project in self.in_place
                for folder in (project.folder, *source_folders(project.folder))
            ],
        ]

    def add(self, read: Requirements) -> None:
        """Add what a requirement file has."""
        self.lines += read.lines
        self.constraints += read.constraints
        self.is_hashed = self.is_hashed or read.is_hashed
        for project in read.projects:
            self.add_project(project)

    def add_project(self, project: LocalProject) -> None:
        """Add a project of this machine, in the way that fits it."""
        needs_others = "--no-deps" not in self.install.options
        metadata = static_metadata(project.folder)
        if metadata is None:
            self.built.append(project)
        elif needs_others and has_sources(project.folder) and self.install.tool != "uv":
            self.in_place.append(project)
            self.projects.append(project)
        else:
            self.projects.append(project)
            if needs_others and self.install.tool != "uv":
                self.lines += metadata.requirements(project.extras)


def prepare(install: Install) -> Prepared:
    """Read what an installation names.

    Args:
        install: The installation.

    Raises:
        ConfigError: If a file can't be read.
    """
    prepared = Prepared(install, list(install.packages))
    prepared.is_hashed = "--require-hashes" in install.options
    for path in install.files:
        prepared.add(read_requirements(path))
    for path in install.constraints:
        prepared.constraints += read_requirements(path).lines
    if install.tool == "uv" and install.lock is not None:
        prepared.lock = install.lock.read_text(encoding="utf-8", errors="replace")
    elif install.lock is not None:
        prepared.constraints += locked_versions(install.lock)
        prepared.lines += _of_other_tools(install)
    for project in install.projects:
        if "--no-root" not in install.options:
            prepared.add_project(project)
    return prepared


def _of_other_tools(install: Install) -> Iterator[str]:
    for project in install.projects:
        if install.tool == "poetry":
            yield from poetry_requirements(project.folder, install.groups)
    if install.tool == "pipenv" and install.lock is not None:
        yield from locked_versions(install.lock)
