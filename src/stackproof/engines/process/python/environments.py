"""One virtualenv for each set of installations: made by uv, cached by content, shared by all."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.engines.cache import content_key, is_there, locked
from stackproof.engines.process.images import Runner, Step
from stackproof.engines.process.images.search import program_version
from stackproof.engines.process.python.failures import explain
from stackproof.engines.process.python.interpreters import find_python, uv_program
from stackproof.engines.process.python.preparing import Prepared, prepare
from stackproof.engines.process.python.resolved import FREEZE, floating_packages, write_freeze
from stackproof.engines.process.python.tree import copy_tree
from stackproof.engines.unfinished import COMPLETE, IN_PLACE
from stackproof.errors import CommandFailed
from stackproof.plan.python.requirements import read_requirements
from stackproof.plan.runtime import Install, Runtime

FORMAT = 2
"""Counted up whenever virtualenvs are made in another way."""

BASE_PACKAGES = {"setuptools": "setuptools==79.0.1", "wheel": "wheel<0.46"}
"""What the official images have beside pip up to Python 3.11 (docker-library/python)."""

LAST_WITH_SETUPTOOLS = (3, 11)

_INPUTS = "inputs"
_QUIET = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}


@dataclass(frozen=True)
class Environment:
    """A virtualenv that is ready.

    Attributes:
        path: Its folder.
        bin: Folder of its programs.
        python: Its interpreter.
        installed: Whether it was made now.
        freeze: Each installed package with its version, one a line.
        floating: Packages whose versions no file pins.
        projects: Folders of projects that count as installed; their code is where they are.
    """

    path: Path
    bin: Path
    python: Path
    installed: bool
    freeze: Path
    floating: tuple[str, ...]
    projects: tuple[Path, ...]


def ensure_environment(runtime: Runtime, cache: Path, runner: Runner) -> Environment:
    """The virtualenv of a Python project; made now if there is none for its installations.

    It is built at its final place, since virtualenvs can't be moved, and counts once its marker is
    there: what a killed build has left is removed and built again. Several processes that want the
    same one wait for the first.

    Args:
        runtime: The project, its installations and its version of Python.
        cache: The cache folder.
        runner: Runs uv.

    Raises:
        EngineUnavailable: If the version of Python is not on this machine.
        CommandFailed: If uv fails, with its last lines and the cause.
        ConfigError: If a file of the project can't be read.
    """
    python = find_python(runtime.python, runtime.python_source, cache, runner)
    prepared = [prepare(install) for install in runtime.installs]
    key = content_key(
        FORMAT,
        [sys.platform, platform.machine(), str(python), program_version(python)],
        runtime.has_base_packages,
        [part.key for part in prepared],
    )
    path = cache / IN_PLACE / key
    if is_there(path) and (path / COMPLETE).exists():
        return _environment(path, prepared, installed=False)
    with locked(path):
        if is_there(path) and (path / COMPLETE).exists():
            return _environment(path, prepared, installed=False)
        shutil.rmtree(path, ignore_errors=True)
        try:
            _Builder(runtime, python, path, runner).build(prepared)
        except CommandFailed:
            shutil.rmtree(path, ignore_errors=True)
            raise
        named = ", ".join(install.written for install in runtime.installs)
        (path / COMPLETE).write_text(f"{named or 'nothing to install'}\n", encoding="utf-8")
    return _environment(path, prepared, installed=True)


def _environment(path: Path, prepared: Sequence[Prepared], *, installed: bool) -> Environment:
    projects = [
        project.folder for part in prepared for project in part.projects if project.is_installed
    ]
    for number, part in enumerate(prepared):
        exported = path / _INPUTS / f"{number}.txt"
        if part.lock and part.install.lock is not None and exported.is_file():
            read = read_requirements(exported, base=part.install.lock.parent)
            projects += [project.folder for project in read.projects]
    return Environment(
        path,
        path / "bin",
        path / "bin" / "python",
        installed,
        path / FREEZE,
        floating_packages(path),
        tuple(dict.fromkeys(projects)),
    )


class _Builder:
    """Makes one virtualenv."""

    def __init__(self, runtime: Runtime, python: Path, path: Path, runner: Runner) -> None:
        self.uv = uv_program()
        self.runtime = runtime
        self.python = python
        self.path = path
        self.runner = runner
        self.name = runtime.project.name if runtime.project else path.name

    def build(self, prepared: Sequence[Prepared]) -> None:
        """Make it, and note what was installed."""
        target = ("venv", "--python", str(self.python), "--no-project", str(self.path))
        self._run("the virtualenv", None, *target)
        inputs = self.path / _INPUTS
        inputs.mkdir(parents=True, exist_ok=True)
        if self.runtime.has_base_packages:
            self._install("the base packages", None, *_base_packages(self.python))
        for number, part in enumerate(prepared):
            if part.lock:
                self._export(part, inputs / f"{number}.txt")
            for arguments in self._groups(part, inputs, number):
                self._install("the dependencies", part.install, *arguments)
        write_freeze(self.path, prepared)

    def _export(self, part: Prepared, target: Path) -> None:
        """Turn uv's lock into a requirement file, its local projects apart."""
        lock = part.install.lock
        if lock is None:
            return
        options = [option for option in part.install.options if option != "--no-deps"]
        only = ("--frozen", "--no-header", "--quiet", "--python", str(self.python))
        self._run("the lock", part.install, "export", *only, *options, "--output-file", str(target))
        read = read_requirements(target, base=lock.parent)
        part.lines += read.lines
        part.is_hashed = part.is_hashed or read.is_hashed
        known = {project.folder for project in (*part.projects, *part.built)}
        for project in read.projects:
            if project.folder not in known and project.folder != self.runtime.project:
                part.add_project(project)

    def _groups(self, part: Prepared, inputs: Path, number: int) -> Iterator[list[str]]:
        """The arguments of each run of the installer: hashed requirements can't be mixed."""
        is_pip = part.install.tool == "pip"
        options = list(part.install.options) if is_pip else []
        options = [option for option in options if option != "--require-hashes"]
        if part.constraints:
            path = _written(inputs / f"{number}-constraints.txt", part.constraints)
            options += ["--constraint", str(path)]
        lines = []
        if part.lines:
            path = _written(inputs / f"{number}-requirements.txt", part.lines)
            lines = ["--requirement", str(path)]
        others = [argument for project in part.in_place for argument in _in_place(project.folder)]
        others += [self._copied(project.folder, project.extras, inputs) for project in part.built]
        if is_pip and not part.is_hashed:
            groups = [(options, [*lines, *others])]
        else:
            is_complete = part.lock or (part.install.tool == "poetry" and part.install.lock)
            groups = [
                ([*options, *(["--require-hashes"] if part.is_hashed else [])], lines),
                ([*options, *(["--no-deps"] if is_complete else [])], others),
            ]
        yield from ([*chosen, *named] for chosen, named in groups if named)

    def _copied(self, folder: Path, extras: Sequence[str], inputs: Path) -> str:
        copy = inputs / f"{folder.name}-{content_key(str(folder))[:8]}"
        if not copy.exists():
            copy_tree(folder, copy)
        return f"{copy}[{','.join(extras)}]" if extras else str(copy)

    def _install(self, what: str, install: Install | None, *arguments: str) -> None:
        python = str(self.path / "bin" / "python")
        self._run(
            what, install, "pip", "install", "--python", python, "--compile-bytecode", *arguments
        )

    def _run(self, what: str, install: Install | None, *arguments: str) -> None:
        environment = {**_QUIET, **_for_uv(install)}
        folder = self._folder(install)
        step = Step(f"{what} of {self.name}", (self.uv, *arguments), environment, folder)
        try:
            self.runner(step)
        except CommandFailed as error:
            written = f"`{install.written}`" if install else "the packages of its image"
            cause, remedy = explain(error.output, self.name, written)
            raise CommandFailed(
                f"{step.name} could not be installed" + (f": {cause}" if cause else ""),
                exit_code=error.exit_code,
                output=error.output,
                remedy=remedy or f"{written}: see the lines above",
            ) from error

    def _folder(self, install: Install | None) -> Path | None:
        projects = install.projects if install else ()
        if install is not None and install.tool == "uv" and install.lock is not None:
            own = self.runtime.project
            inside = own is not None and own.is_relative_to(install.lock.parent)
            return projects[0].folder if projects else own if inside else install.lock.parent
        return self.runtime.project


def _written(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _in_place(folder: Path) -> list[str]:
    return ["--requirement", str(folder / "pyproject.toml")]


def _for_uv(install: Install | None) -> dict[str, str]:
    """Variables of the Dockerfile, as uv calls them."""
    names = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_EXTRA_INDEX_URL"}
    found = dict(install.environment) if install else {}
    return {names.get(name, name): value for name, value in found.items()}


def _base_packages(python: Path) -> list[str]:
    """The packages of an official image: from the wheels of the interpreter, if it has them."""
    code = (
        "import sys, os, glob\n"
        "print(*sys.version_info[:2])\n"
        "try: import ensurepip\n"
        "except ImportError: sys.exit()\n"
        "folder = os.path.join(os.path.dirname(ensurepip.__file__), '_bundled')\n"
        "print(*glob.glob(os.path.join(folder, '*.whl')), sep='\\n')\n"
    )
    done = subprocess.run(
        [python, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    version, *wheels = done.stdout.splitlines() or [""]
    found = [wheel for wheel in wheels if wheel]
    wanted = ["pip"]
    if version and tuple(map(int, version.split())) <= LAST_WITH_SETUPTOOLS:
        wanted += BASE_PACKAGES
    missing = [name for name in wanted if not any(f"/{name}-" in wheel for wheel in found)]
    kept = [wheel for wheel in found if any(f"/{name}-" in wheel for name in wanted)]
    return [*kept, *(BASE_PACKAGES.get(name, name) for name in missing)]
