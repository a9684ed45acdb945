"""What a Python service finds around it: its virtualenv, its import path and its programs."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from stackproof.engines.process.images import Runner
from stackproof.engines.process.images.search import program_version
from stackproof.engines.process.python.environments import Environment, ensure_environment
from stackproof.engines.process.python.project_folder import project_folder
from stackproof.plan.python.projects import source_roots
from stackproof.plan.runtime import Runtime
from stackproof.reaper.run_folder import RunFolder

KEPT = "python"
"""Folder of a run that has the packages of each Python service, with their versions."""

SHOWN_PACKAGES = 3


@dataclass(frozen=True)
class Surroundings:
    """What a Python service finds around it.

    Attributes:
        virtualenv: Its virtualenv.
        programs: Folders of programs, the strongest first.
        imported: Folders of the import path, the strongest first.
        notices: Sentences a person should read.
    """

    virtualenv: Path
    programs: tuple[Path, ...]
    imported: tuple[Path, ...]
    notices: tuple[str, ...] = ()


def surroundings(
    service: str, runtime: Runtime, run: RunFolder, cache: Path, runner: Runner
) -> Surroundings:
    """Make what a Python service needs, and keep the versions of its packages with the run.

    Args:
        service: Name of the service.
        runtime: How it runs.
        run: The run's folder.
        cache: The cache folder.
        runner: Runs uv.

    Raises:
        EngineUnavailable: If its version of Python can't be had.
        CommandFailed: If something can't be installed.
        ConfigError: If a file of the project can't be read.
    """
    if runtime.own_environment:
        programs = (Path(sys.executable).parent,)
        return Surroundings(Path(sys.prefix), programs, runtime.source_roots)
    made = ensure_environment(runtime, cache, runner)
    kept = run.path / KEPT / f"{service}.txt"
    kept.parent.mkdir(exist_ok=True)
    shutil.copyfile(made.freeze, kept)
    added = project_folder(runtime.project, made.projects, made.python, cache)
    roots = [root for project in made.projects for root in source_roots(project)]
    return Surroundings(
        made.path,
        (added.bin, made.bin),
        tuple(dict.fromkeys([*runtime.source_roots, *roots, added.site])),
        _notices(runtime, made, kept),
    )


def _notices(runtime: Runtime, made: Environment, kept: Path) -> tuple[str, ...]:
    version = program_version(made.python)
    found = []
    if runtime.python.count(".") == 2 and version != runtime.python:  # noqa: PLR2004 - with a patch
        found.append(f"Python {version} stands in for {runtime.python} ({runtime.python_source})")
    if made.floating:
        found.append(_not_locked(runtime, made, kept))
    return tuple(found)


def _not_locked(runtime: Runtime, made: Environment, kept: Path) -> str:
    shown = ", ".join(made.floating[:SHOWN_PACKAGES])
    more = len(made.floating) - SHOWN_PACKAGES
    named = f"{shown} and {more} more" if more > 0 else shown
    how = f"; {lock}" if (lock := _how_to_lock(runtime)) else ""
    return f"not locked: no file pins {named}; the versions of this run are in {kept}{how}"


def _how_to_lock(runtime: Runtime) -> str:
    for install in runtime.installs:
        sources = [path.name for path in install.files]
        sources += ["pyproject.toml" for _ in install.projects]
        if install.tool == "pip" and sources and "--no-deps" not in install.options:
            return (
                f"to lock them, `uv pip compile {sources[0]} --generate-hashes -o "
                "requirements.lock` and install that file"
            )
    return ""
