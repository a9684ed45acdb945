"""How the process engine runs a service: a known image, a Python project, or what it builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stackproof.plan.builds.model import Recipe
from stackproof.settings.native import NativeProgram

AUTO, OFF = "auto", "off"
"""Whether forks of a service are made; else the modules that are imported ahead for them."""


@dataclass(frozen=True)
class LocalProject:
    """A Python project of this machine that a service installs.

    Attributes:
        folder: Its folder.
        extras: Its extras that are installed too.
        is_installed: Whether the project itself is installed, not only what it needs.
    """

    folder: Path
    extras: tuple[str, ...] = ()
    is_installed: bool = True


@dataclass(frozen=True)
class Install:
    """One installation into the virtualenv of a Python service.

    Attributes:
        tool: Whose: `pip` (also uv's), `uv` (a sync), `poetry`, `pdm` or `pipenv`.
        written: The command as the Dockerfile has it, or the name of the file it is from.
        packages: Requirements.
        files: Requirement files.
        constraints: Files of constraints.
        projects: Projects of this machine.
        options: Options of `uv pip install`, of `uv export` for a sync.
        groups: Groups of dependencies (Poetry).
        lock: The lock of another tool than pip.
        environment: Variables for it.
    """

    tool: str
    written: str
    packages: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    constraints: tuple[Path, ...] = ()
    projects: tuple[LocalProject, ...] = ()
    options: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    lock: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Runtime:
    """How the process engine runs a service: a known image, a Python project, or what it builds.

    Attributes:
        kind: `image` (natively, by a module of stackproof.engines.process.images), `project` or
            `build`.
        image: For `image`: which one (`postgres`, `rabbitmq`, `redis`, `valkey`).
        version: For `image`: the version asked for, or "" for any; its major part decides.
        variant: For `image`: what the tag says after the version, such as `management`.
        extensions: For `image`: extensions of PostgreSQL that the stack creates.
        bindir: For `image`: folder of the server's programs, where one was named.
        native: For `image`: the program that the stack config names for it.
        project: The folder of the Python project, or the build context.
        installs: For `project`: what its virtualenv gets, in order.
        files: The files that this is written in, beside the Dockerfile.
        source_roots: Folders to put on the import path of the project.
        python: Version of Python wanted (`3.12`, `>=3.11`), or "" for the one that runs stackproof.
        python_source: Where that version is written.
        has_base_packages: For `project`: it has what the official image of Python has (pip, …).
        own_environment: For `project`: it runs in stackproof's own Python environment.
        recipe: For `build`: the stages of its Dockerfile.
    """

    kind: Literal["image", "project", "build"]
    image: str = ""
    version: str = ""
    variant: str = ""
    extensions: tuple[str, ...] = ()
    bindir: Path | None = None
    native: NativeProgram | None = None
    project: Path | None = None
    installs: tuple[Install, ...] = ()
    files: tuple[Path, ...] = ()
    source_roots: tuple[Path, ...] = ()
    python: str = ""
    python_source: str = ""
    has_base_packages: bool = False
    own_environment: bool = False
    recipe: Recipe | None = None
