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


_State = tuple[str, int, int, int, int, int]
"""What changes with a file: its real path, device, inode, size and times."""

_ELF = b"\x7fELF"

_VERSIONS: dict[tuple[Path, str, _State], str] = {}
"""What programs have said of themselves in this process, as long as their files stay the same."""


def program_version(program: Path, option: str = "--version") -> str:
    """The version that a program prints; empty if it can't be had.

    A compiled program is asked once, and again when its file has changed. A script, or a link to a
    program of another name, may start another program each time, so it is always asked.

    Args:
        program: Its path.
        option: What makes it print its version.
    """
    state = _state_of(program)
    known = _VERSIONS.get((program, option, state), "") if state is not None else ""
    if known:
        return known
    output, errors = printed(program, option)
    match = _VERSION.search(output or errors)
    version = match[1] if match else ""
    if version and state is not None:
        _VERSIONS[program, option, state] = version
    return version


def _state_of(program: Path) -> _State | None:
    """The state of a compiled program's file; None where it does not tell which program runs."""
    real = os.path.realpath(program)
    try:
        with open(real, "rb") as file:  # noqa: PTH123 - a name that `realpath` gave
            about, begin = os.fstat(file.fileno()), file.read(len(_ELF))
    except OSError:
        return None
    own = program.name.rstrip("0123456789.")
    if begin != _ELF or not os.path.basename(real).startswith(own):  # noqa: PTH119 - the same
        return None
    return real, about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


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
