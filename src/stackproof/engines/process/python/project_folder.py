"""What an installed project adds to its service: its metadata, and the programs that it declares.

They are the project's own, while its virtualenv may serve several, so they don't go in there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key
from stackproof.plan.python.projects import Metadata, project_tables, static_metadata
from stackproof.plan.python.requirements import normal_name

FORMAT = 1
"""Counted up whenever these folders are made in another way."""


@dataclass(frozen=True)
class ProjectFolder:
    """What projects add.

    Attributes:
        site: A folder for the import path, with their metadata.
        bin: A folder with their programs.
    """

    site: Path
    bin: Path


def project_folder(
    own: Path | None, installed: Iterable[Path], python: Path, cache: Path
) -> ProjectFolder:
    """The folder of a service's projects; made now if there is none that fits.

    Args:
        own: The service's own project, whose programs can be run even where it is not installed.
        installed: Projects that are installed.
        python: The interpreter of the programs.
        cache: The cache folder.

    Raises:
        ConfigError: If a pyproject.toml can't be read.
    """
    known = [found for folder in installed if (found := static_metadata(folder)) is not None]
    scripts = {
        name: entry
        for metadata in known
        for name, entry in metadata.entry_points.get("console_scripts", {}).items()
    }
    declared = project_tables(own).project.get("scripts") if own else None
    if isinstance(declared, dict):
        scripts |= {str(name): str(entry) for name, entry in declared.items()}
    programs = {f"bin/{Path(name).name}": _launcher(python, e) for name, e in scripts.items()}
    texts = {**programs, **{name: text for found in known for name, text in _metadata(found)}}

    def build(draft: Path) -> None:
        for name in ("bin", "site"):
            (draft / name).mkdir()
        for name, text in texts.items():
            target = draft / name
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
            target.chmod(0o755 if name in programs else 0o644)

    made = cached_folder(cache / "projects" / content_key(FORMAT, texts), build)
    return ProjectFolder(made / "site", made / "bin")


def _metadata(found: Metadata) -> Iterator[tuple[str, str]]:
    """The files by which `importlib.metadata` finds a project (PEP 376, entry points)."""
    folder = f"site/{normal_name(found.name).replace('-', '_')}-{found.version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {found.name}", f"Version: {found.version}"]
    lines += [f"Requires-Dist: {line}" for line in found.dependencies]
    for extra, required in found.extras.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {_for_extra(line, extra)}" for line in required]
    yield f"{folder}/METADATA", "\n".join(lines) + "\n"
    yield f"{folder}/INSTALLER", "stackproof\n"
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {entry}" for name, entry in names.items())])
        for group, names in found.entry_points.items()
    ]
    yield f"{folder}/entry_points.txt", "\n\n".join(groups) + "\n"


def _for_extra(line: str, extra: str) -> str:
    wanted, _, marker = line.partition(";")
    marker = f"({marker.strip()}) and " if marker.strip() else ""
    return f"{wanted.strip()} ; {marker}extra == '{extra}'"


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
