"""Finds an interpreter of the version of Python that a service wants, or has uv download it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from stackproof.engines.cache import ensure_shelf, is_there
from stackproof.engines.process.images.model import Runner, Step
from stackproof.engines.process.images.search import matching, program_version
from stackproof.errors import CommandFailed, EngineUnavailable

_EXACT = re.compile(r"\d+(?:\.\d+){0,2}")
_VERSION = re.compile(r"(?<![\d.])\d++\.\d++\.\d++\w*+")
_PATCH = re.compile(r"\d+\.\d+\.\d+")
_SECONDS = 60.0


def find_python(request: str, source: str, cache: Path, runner: Runner) -> Path:
    """The interpreter for a service.

    Of an image's version the last part may differ: 3.12.1 stands in for 3.12.7 of `FROM`.

    Args:
        request: Such as `3.12`, `3.12.1` or `>=3.11,<3.14`; empty for the one that runs stackproof.
        source: Where that is written, for people.
        cache: The cache folder, which a downloaded interpreter goes into.
        runner: Runs uv.

    Raises:
        EngineUnavailable: If there is none of that version and it can't be downloaded.
    """
    running = ".".join(map(str, sys.version_info[:3]))
    if not request or _fits(running, request):
        return Path(sys.executable)
    downloaded = cache / "pythons"
    is_there(downloaded)  # refuses what another user has made
    found = _installed(request, downloaded)
    if found is None and source.startswith("FROM ") and _PATCH.fullmatch(request):
        found = _installed(request.rpartition(".")[0], downloaded)
    if found is not None:
        return found
    answer = _download(request, downloaded, runner)
    found = None if answer else _installed(request, downloaded)
    if found is None:
        raise _unavailable(request, source, downloaded, answer)
    return found


_LOOKING = threading.Lock()
"""Services are prepared at once, and the variables of `sysconfig` are not made by two threads."""


def uv_program() -> str:
    """The path of uv, which makes virtualenvs.

    Raises:
        EngineUnavailable: If it is not there, though its package is.
    """
    from uv import find_uv_bin  # uv's own way to its program

    try:
        with _LOOKING:
            return find_uv_bin()
    except FileNotFoundError as error:
        places = [line.removeprefix(" - ") for line in str(error).splitlines()[1:]]
        raise EngineUnavailable(
            "uv, which makes the virtualenvs of services, was not found",
            checked=places,
            remedy="install the package `uv` beside stackproof",
        ) from None


def _fits(version: str, request: str) -> bool:
    return version == request or version.startswith(f"{request}.")


def _installed(request: str, downloaded: Path) -> Path | None:
    """What uv finds among the interpreters of this machine."""
    answer = _uv(("python", "find", "--no-project", "--no-config", "--system", request), downloaded)
    path = Path(answer.splitlines()[-1]) if answer else None
    return path if path is not None and program_version(path) else None


def _uv(arguments: tuple[str, ...], downloaded: Path) -> str:
    environment = {**_environment(downloaded), "PATH": os.pathsep.join(map(str, _folders()))}
    try:
        done = subprocess.run(
            [uv_program(), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _environment(downloaded: Path) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in ("HOME", "UV_CACHE_DIR") if name in os.environ}
    return {
        **kept,
        "UV_PYTHON_INSTALL_DIR": str(downloaded),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PYTHON_PREFERENCE": "system",
        "UV_NO_PROGRESS": "1",
    }


def _folders() -> Iterator[Path]:
    """Where interpreters are; pyenv's own folders, since its shims on PATH need not start."""
    yield Path(sys.base_prefix) / "bin"
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - pathlib's raises where there is none
    patterns = (
        f"{os.environ.get('PYENV_ROOT', home / '.pyenv')}/versions/*/bin",
        f"{home}/.local/share/uv/python/cpython-*/bin",
        "/opt/homebrew/opt/python@*/bin",
    )
    yield from (path for path, _ in matching(patterns))
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), "/usr/local/bin", "/usr/bin"):
        if folder and Path(folder).name != "shims":
            yield Path(folder)


def _download(request: str, downloaded: Path, runner: Runner) -> str:
    """Let uv download an interpreter; why it could not, else empty."""
    ensure_shelf(downloaded)
    environment = {"UV_PYTHON_INSTALL_DIR": str(downloaded), "UV_NO_PROGRESS": "1"}
    argv = (uv_program(), "python", "install", "--no-bin", request)
    try:
        runner(Step(f"Python {request}, downloaded", argv, environment))
    except CommandFailed as error:
        lines = [line.strip() for line in error.output.strip().splitlines() if line.strip()]
        return lines[-1] if lines else error.what
    return ""


def _unavailable(request: str, source: str, downloaded: Path, answer: str) -> EngineUnavailable:
    found = _uv(("python", "list", "--only-installed", "--no-config"), downloaded).splitlines()
    versions = [
        match[0] for line in found if (match := re.search(r"(?<![\d.])\d++\.\d++\.\d++\w*+", line))
    ]
    shown = ", ".join(dict.fromkeys(versions)) or "none"
    running = ".".join(map(str, sys.version_info[:2]))
    wanted = request if _EXACT.fullmatch(request) else f'"{request}"'
    return EngineUnavailable(
        f"there is no Python {request} on this machine ({source or 'asked for'})",
        checked=[
            f"PATH, pyenv, uv and Homebrew: {shown}",
            f"uv's download: {answer or 'it does not start'}",
        ],
        remedy=f"install it (`uv python install {wanted}` or `pyenv install`), use --engine "
        f'compose, or write `x-stackproof: {{python: "{running}"}}` under the service to run it '
        f"with {running}",
    )
