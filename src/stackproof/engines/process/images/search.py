"""Finds server programs: installed ones, and those that wheels bring along."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

VERSION_SECONDS = 20.0
_VERSION = re.compile(r"(?:\(PostgreSQL\)\s+|v=|nginx/|\s)(\d+(?:\.\d+)*)")
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/opt/homebrew/bin")


@dataclass(frozen=True)
class Candidate:
    """A program that was found.

    Attributes:
        program: Its path.
        origin: Where it is from, in words.
        version: What it says of itself.
    """

    program: Path
    origin: str
    version: str

    @property
    def major(self) -> str:
        """The part of the version before the first dot."""
        return self.version.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.origin}: {self.program} is version {self.version}"


def candidate(program: Path, origin: str) -> Candidate | None:
    """The program at a path, if there is one and it tells its version."""
    version = program_version(program) if os.access(program, os.X_OK) else ""
    return Candidate(program, origin, version) if version else None


def program_version(program: Path, option: str = "--version") -> str:
    """The version that a program prints; empty if it can't be had."""
    output, errors = printed(program, option)
    match = _VERSION.search(output or errors)
    return match[1] if match else ""


def printed(program: Path, *arguments: str) -> tuple[str, str]:
    """What a program prints to its output and to its error output; empty if it can't be had."""
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return "", ""
    return done.stdout, done.stderr


def on_path(name: str) -> Iterator[tuple[Path, str]]:
    """A program on PATH, with links resolved."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS])
    found = shutil.which(name, path=folders)
    if found:
        yield Path(found).resolve(), "installed"


def matching(patterns: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Installed programs at absolute glob patterns, the highest version's path first."""
    for pattern in patterns:
        found = Path("/").glob(pattern.lstrip("/"))
        for path in sorted(found, key=_numbers, reverse=True):
            yield path, "installed"


def in_wheel(package: str, pattern: str) -> Iterator[tuple[Path, str]]:
    """Programs inside an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob(pattern), key=_numbers, reverse=True):
            yield path, f"wheel {package.replace('_', '-')}"


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def identity(program: Path) -> list[object]:
    """What tells one build of a program from another without reading all of it."""
    found = program.stat()
    return [str(program), found.st_size, found.st_mtime_ns]
