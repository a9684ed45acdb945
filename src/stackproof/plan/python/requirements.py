"""Reads requirement files: included files joined, local projects apart, and whether all is pinned.

Source: pip documentation, "Requirements File Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from stackproof.errors import ConfigError
from stackproof.plan.python.projects import is_project
from stackproof.plan.runtime import LocalProject
from stackproof.stack_file.regular_files import read_text_file, real_path

_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(
    r"(?P<name>-r|-c|-e|--requirement|--constraint|--editable)(?:\s*=\s*|\s+|(?<=-[rce]))(?P<value>\S.*)$"
)
_LOCAL = re.compile(r"^(?:file:|\.{1,2}(?:[/\\\[;]|$)|/)")
_PINNED = re.compile(r"^={2,3}\s*+[\w.!+-]++(?:\s|;|$)")
_NAME = re.compile(r"^(?P<name>[\w.-]++)\s*+(?:\[[^\]]*+\]\s*+)?")


@dataclass(frozen=True)
class Requirements:
    """What a requirement file asks for, with the files that it includes.

    Attributes:
        lines: Requirements and options for the installer, each a whole line.
        constraints: Lines of the files of constraints.
        projects: Projects of this machine that it names by their paths.
        files: Each file that was read.
    """

    lines: tuple[str, ...]
    constraints: tuple[str, ...]
    projects: tuple[LocalProject, ...]
    files: tuple[Path, ...]

    @property
    def is_hashed(self) -> bool:
        """Whether it has hashes, so that nothing else can be installed."""
        return any("--hash=" in line for line in self.lines)


def read_requirements(path: Path, *, base: Path | None = None) -> Requirements:
    """Read a requirement file.

    Args:
        path: The file.
        base: What its relative paths start from; its own folder if None.

    Raises:
        ConfigError: If it, or a file that it includes, can't be read.
    """
    reader = _Reader(base)
    reader.read(path, is_constraint=False)
    return Requirements(
        tuple(reader.lines), tuple(reader.constraints), tuple(reader.projects), tuple(reader.files)
    )


class _Reader:
    def __init__(self, base: Path | None) -> None:
        self.base = base
        self.lines: list[str] = []
        self.constraints: list[str] = []
        self.projects: list[LocalProject] = []
        self.files: dict[Path, None] = {}

    def read(self, path: Path, *, is_constraint: bool) -> None:
        if path in self.files:
            return
        self.files[path] = None
        for number, line in _logical_lines(_text(path)):
            option = _OPTION.match(line)
            if option and option["name"] in {"-r", "--requirement", "-c", "--constraint"}:
                included = real_path(path.parent, option["value"].strip("\"'"))
                is_other = is_constraint or option["name"] in {"-c", "--constraint"}
                self.read(included, is_constraint=is_other)
                continue
            written = option["value"] if option else line
            if is_local(written) and not is_constraint:
                self._local(local_project(self.base or path.parent, written), path, number)
            else:
                (self.constraints if is_constraint else self.lines).append(written)

    def _local(self, project: LocalProject, path: Path, number: int) -> None:
        if project.folder.is_file():  # a wheel or an archive
            self.lines.append(str(project.folder))
        elif is_project(project.folder):
            self.projects.append(project)
        else:
            raise ConfigError(
                f"there is no Python project at {project.folder}",
                source=path,
                line=number,
                remedy="correct the path; a project has a pyproject.toml or a setup.py",
            )


def _text(path: Path) -> str:
    try:
        return read_text_file(path)
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise ConfigError("the file can't be read", source=path, observed=what) from error


@lru_cache(maxsize=16)
def _logical_lines(text: str) -> tuple[tuple[int, str], ...]:
    """Lines without comments, continued ones joined, with the number of the first."""
    return tuple(_joined_lines(text))


def _joined_lines(text: str) -> Iterator[tuple[int, str]]:
    parts: list[str] = []
    first = 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        first = first if parts else number
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            words = _COMMENT.sub("", " ".join(parts)).split()
            parts = []
            if words:
                yield first, " ".join(words)


def local_project(folder: Path, written: str) -> LocalProject:
    """A project that is named by its path, such as `../shared[cli]` or `shared @ file:///src`.

    Args:
        folder: What a relative path starts from.
        written: The requirement, without `-e`.
    """
    name, _, address = written.partition("@")
    outer = name.partition("[")[2] if address else ""
    path = (address or written).partition(";")[0].partition(" --")[0].strip(" \"'")
    path = unquote(re.sub(r"^file:(?://(?:localhost)?)?", "", path))
    path, _, inner = path.partition("[")
    extras = f"{outer.partition(']')[0]},{inner.partition(']')[0]}".split(",")
    return LocalProject(
        real_path(folder, path.strip() or "."),
        tuple(extra.strip() for extra in extras if extra.strip()),
    )


def is_local(written: str) -> bool:
    """Whether a requirement is a path of this machine."""
    match = _NAME.match(written)
    rest = written[match.end() :] if match else ""
    return _LOCAL.match(rest[1:].strip() if rest.startswith("@") else written) is not None


def pinned_name(line: str) -> str:
    """The package that a requirement leaves no choice of, normalised; empty where it does."""
    match = _NAME.match(line)
    if match is None:
        return ""
    rest = line[match.end() :]
    is_pinned = rest.startswith("@") or _PINNED.match(rest)
    return normal_name(match["name"]) if is_pinned else ""


def normal_name(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
