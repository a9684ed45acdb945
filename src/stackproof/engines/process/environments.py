"""One virtualenv for each lock: made by uv, cached by content, shared by all that fit it."""

from __future__ import annotations

import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackproof.engines.cache import cached_folder, content_key, is_there, locked
from stackproof.engines.process.images import Runner, Step
from stackproof.engines.process.images.search import program_version
from stackproof.engines.process.interpreters import find_python
from stackproof.engines.unfinished import COMPLETE, IN_PLACE
from stackproof.errors import CommandFailed, ConfigError
from stackproof.plan.model import Runtime
from stackproof.stack_file.regular_files import read_text_file, real_path

FORMAT = 1
"""Counted up whenever virtualenvs are made in another way."""

_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[=\s]+(\S+)", re.MULTILINE)
_LOCAL = re.compile(r"^\s*(?:-e|--editable|\.|/|file:)", re.MULTILINE)
_QUIET = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}


@dataclass(frozen=True)
class Environment:
    """A virtualenv that is ready.

    Attributes:
        path: Its folder.
        bin: Folder of its programs.
        python: Its interpreter.
        installed: Whether it was made now.
    """

    path: Path
    bin: Path
    python: Path
    installed: bool


def ensure_environment(runtime: Runtime, cache: Path, runner: Runner) -> Environment:
    """The virtualenv of a Python project; made now if there is none for its lock.

    It is built at its final place, since virtualenvs can't be moved, and counts once its marker is
    there: what a killed build has left is removed and built again. Several processes that want the
    same one wait for the first.

    Args:
        runtime: The project, its lock and its version of Python.
        cache: The cache folder.
        runner: Runs uv.

    Raises:
        EngineUnavailable: If the version of Python is not on this machine.
        CommandFailed: If uv fails, with its last lines.
        ConfigError: If a file of the project can't be read.
    """
    python = find_python(runtime.python)
    source = _source(runtime)
    key = content_key(
        FORMAT,
        [sys.platform, platform.machine(), str(python), program_version(python)],
        _contents(source) if source else "",
        str(runtime.project) if source and _LOCAL.search(_read(source)) else "",
    )
    path = cache / IN_PLACE / key
    if is_there(path) and (path / COMPLETE).exists():
        return _environment(path, installed=False)
    with locked(path):
        if is_there(path) and (path / COMPLETE).exists():
            return _environment(path, installed=False)
        shutil.rmtree(path, ignore_errors=True)
        for step in _steps(runtime, source, python, path):
            _run(step, runner)
        (path / COMPLETE).write_text(f"{source or 'nothing to install'}\n", encoding="utf-8")
    return _environment(path, installed=True)


def _environment(path: Path, *, installed: bool) -> Environment:
    return Environment(path, path / "bin", path / "bin" / "python", installed)


def _source(runtime: Runtime) -> Path | None:
    """The file that says what to install: the lock, else the project's own pyproject.toml."""
    if runtime.lock is not None:
        return runtime.lock
    own = runtime.project / "pyproject.toml" if runtime.project else None
    return own if own is not None and own.is_file() else None


def _read(path: Path) -> str:
    try:
        return read_text_file(path)
    except OSError as error:
        raise ConfigError(
            "the file can't be read", source=path, observed=error.strerror or str(error)
        ) from error


def _contents(path: Path) -> list[str]:
    """What decides about an installation: a file and all that it includes."""
    if path.name == "pyproject.toml":
        return [repr(_project_table(path).get("dependencies", []))]
    seen: dict[Path, str] = {}
    waiting = [path]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen[one] = _read(one)
            waiting += [real_path(one.parent, name) for name in _INCLUDE.findall(seen[one])]
    return list(seen.values())


def _project_table(path: Path) -> Mapping[str, Any]:
    try:
        found = tomllib.loads(_read(path)).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("this is not TOML", source=path, observed=str(error)) from error
    return found if isinstance(found, dict) else {}


def _steps(runtime: Runtime, source: Path | None, python: Path, path: Path) -> Iterator[Step]:
    from uv import find_uv_bin  # uv's own way to its program

    uv = find_uv_bin()
    name = runtime.project.name if runtime.project else path.name
    where = runtime.project

    def step(what: str, *arguments: str) -> Step:
        return Step(f"{what} of {name}", (uv, *arguments), _QUIET, where)

    yield step("the virtualenv", "venv", "--python", str(python), "--no-project", str(path))
    if source is None:
        return
    requirements = source
    if source.name == "uv.lock":
        requirements = path / "requirements.txt"
        only = ("--frozen", "--no-dev", "--no-emit-project", "--no-header", "--quiet")
        yield step("the lock", "export", *only, "--output-file", str(requirements))
    is_hashed = source.name == "uv.lock" or "--hash=" in _read(source)
    yield step(
        "the dependencies",
        *("pip", "install", "--python", str(path / "bin" / "python"), "--compile-bytecode"),
        *(("--require-hashes",) if is_hashed else ()),
        *("--requirement", str(requirements)),
    )


def _run(step: Step, runner: Runner) -> None:
    try:
        runner(step)
    except CommandFailed as error:
        raise CommandFailed(
            f"{step.name} could not be installed",
            exit_code=error.exit_code,
            output=error.output,
            remedy="without a network, set UV_INDEX_URL or UV_CACHE_DIR to a mirror or a filled "
            "cache; a package that doesn't fit this Python needs a new lock",
        ) from error


def script_folder(runtime: Runtime, made: Environment, cache: Path) -> Path | None:
    """A folder with the programs that `[project.scripts]` of a project declares.

    They are a project's own, while its virtualenv may serve several, so they don't go in there.

    Args:
        runtime: The project.
        made: Its virtualenv.
        cache: The cache folder.

    Returns:
        The folder; None for a project that declares none.

    Raises:
        ConfigError: If its pyproject.toml can't be read.
    """
    file = runtime.project / "pyproject.toml" if runtime.project else None
    scripts = _project_table(file).get("scripts") if file and file.is_file() else None
    if not scripts or not isinstance(scripts, dict):
        return None
    texts = {str(name): _launcher(made.python, str(entry)) for name, entry in scripts.items()}

    def build(draft: Path) -> None:
        for name, text in texts.items():
            target = draft / Path(name).name
            target.write_text(text, encoding="utf-8")
            target.chmod(0o755)

    return cached_folder(cache / "scripts" / content_key(FORMAT, texts), build)


def _launcher(python: Path, entry: str) -> str:
    """A program that calls an entry point, `package.module:function`.

    The first lines are a text to Python and start it for a shell: `#!` lines have a length limit.
    """
    module, _, function = entry.partition(":")
    top = function.partition(".")[0].strip()
    return (
        "#!/bin/sh\n"
        f"'''exec' '{python}' \"$0\" \"$@\"\n"
        "' '''\n"
        "import sys\n\n"
        f"from {module.strip()} import {top}\n\n"
        f"sys.exit({function.partition('[')[0].strip()}())\n"
    )
