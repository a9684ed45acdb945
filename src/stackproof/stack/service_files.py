"""The files that a service runs from: its build context or source roots, its lock, its mounts."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.plan.model import ServicePlan
from stackproof.plan.mounts.model import PlannedMount
from stackproof.plan.services.dockerignore import context_files, ignore_files
from stackproof.plan.services.drafts import read_image
from stackproof.plan.services.known_images import recognise
from stackproof.stack_file.model import Build, StackFile
from stackproof.stack_file.regular_files import read_text_file

LARGE = 8 << 20
"""Bytes of a file from which on its size and time stand for its content."""

SETTLED = 2.0
"""Seconds after a write until a further one has another time for sure, on any file system."""

CACHES = frozenset({"__pycache__", "node_modules", "venv"})
"""Folders that a service's own tools write to, beside all whose names begin with a dot."""

WRITTEN = (".pyc", ".log", ".pid", ".db", ".sqlite", ".sqlite3", "-journal", "-wal", "-shm")
"""Endings of files that a service writes itself while it runs."""


def service_files(plan: ServicePlan, stack_file: StackFile) -> dict[str, str]:
    """Each file that a service runs from, with a digest of its content.

    Args:
        plan: The service.
        stack_file: The stack file, for its build.
    """
    return {str(path): digest(path) for path in sorted(set(_paths(plan, stack_file)))}


def source_folders(plan: ServicePlan, stack_file: StackFile) -> set[Path]:
    """The folders in which a new or changed file may be one that a service runs from.

    Args:
        plan: The service.
        stack_file: The stack file, for its build.
    """
    found = {path.parent for path in _paths(plan, stack_file)}
    for root in _roots(plan, stack_file):
        found.update(folders_below(root))
    return found


def folders_below(root: Path) -> Iterator[Path]:
    """A folder, and those below it that hold no caches; of a file, the one that it lies in."""
    if root.is_dir():
        yield from (Path(folder) for folder, _, _ in _walked(root))
    elif root.parent.is_dir():
        yield root.parent


def _roots(plan: ServicePlan, stack_file: StackFile) -> Iterator[Path]:
    """The folders of a service's sources; what `.dockerignore` leaves out of them counts too."""
    written, runtime = stack_file.services.get(plan.name), plan.runtime
    build = written.build if written else None
    project = runtime.project if runtime else None
    if build is not None and project in {None, build.context}:
        yield build.context
        yield (build.context / build.dockerfile).parent
    elif runtime is not None:
        yield from runtime.source_roots
    if project is not None:
        yield project
    yield from (Path(mount.source) for mount in _read_mounts(plan))


def _paths(plan: ServicePlan, stack_file: StackFile) -> Iterator[Path]:
    written = stack_file.services.get(plan.name)
    build = written.build if written else None
    runtime = plan.runtime
    project = runtime.project if runtime else None
    if build is not None and project in {None, build.context}:
        yield from _built(plan.name, build, stack_file)
    elif runtime is not None:
        for root in runtime.source_roots:
            yield from _sources(root)
    if runtime is not None and project is not None:
        declared = (*runtime.files, project / "pyproject.toml", project / ".python-version")
        yield from (path for path in declared if path.is_file())
    yield from _mounted(plan)


def _mounted(plan: ServicePlan) -> Iterator[Path]:
    """The files that are mounted read-only or as a copy; of a known server only single files.

    Those are its configuration; a folder holds scripts that it reads when it is asked to.
    """
    for mount in _read_mounts(plan):
        yield from _sources(Path(mount.source))


def _read_mounts(plan: ServicePlan) -> Iterator[PlannedMount]:
    is_server = plan.runtime is not None and plan.runtime.kind == "image"
    is_server = is_server or recognise(plan.image) is not None
    for mount in plan.outside:
        is_read = mount.kind == "bind" and mount.action in {"keep", "copy"}
        if is_read and (mount.is_file or not is_server):
            yield mount


def _built(name: str, build: Build, stack_file: StackFile) -> Iterator[Path]:
    """The Dockerfile, and what it copies from the build context."""
    dockerfile = build.context / build.dockerfile
    if dockerfile.is_file():
        yield dockerfile
    copied = _copied(name, build, stack_file)
    ignores = any(path.is_file() for path in ignore_files(build))
    sent = {build.context / path for path in context_files(build)} if ignores else None
    for path in _sources(build.context):
        relative = str(path.relative_to(build.context))
        if (sent is None or path in sent) and any(_covers(source, relative) for source in copied):
            yield path


def _copied(name: str, build: Build, stack_file: StackFile) -> tuple[str, ...]:
    """The paths that COPY names; all of the context where earlier stages or mounts read it too."""
    try:
        image = read_image(stack_file, stack_file.services[name])
        text = build.dockerfile_inline or read_text_file(build.context / build.dockerfile)
    except (ConfigError, OSError):
        return (".",)
    if image is None or "--from=" in text or "--mount=" in text:
        return (".",)
    return tuple(os.path.normpath(copied.source) for copied in image.copied)


def _covers(source: str, path: str) -> bool:
    return source == "." or path.startswith(source + "/") or fnmatchcase(path, source)


def _sources(root: Path) -> Iterator[Path]:
    """A file, or the files below a folder that a service does not write itself."""
    if root.is_file():
        yield root
    for folder, _, files in _walked(root):
        for name in files:
            path = Path(folder, name)
            if not is_written(name) and path.is_file():
                yield path


def is_written(name: str) -> bool:
    """Whether a service writes files of that name itself while it runs."""
    return name.startswith(".coverage") or name.endswith(WRITTEN)


def _walked(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".") and name not in CACHES]
        yield folder, names, files


def files_below(root: Path) -> dict[str, str]:
    """The files below a folder that a service does not write itself, with a digest of each."""
    return {str(path): digest(path) for path in _sources(root)}


def digest(path: str | Path) -> str:
    """A digest of a file's content; of its size and time where it is large."""
    try:
        about = os.stat(path)  # noqa: PTH116 - a Path a file takes longer
        if about.st_size >= LARGE:
            return f"{about.st_size} {about.st_mtime_ns}"
        if time.time() - max(about.st_mtime, about.st_ctime) < SETTLED:
            return _hashed(path)
        state = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        return _settled(str(path), state)
    except OSError as error:
        return f"unreadable: {error.strerror}"


@lru_cache(maxsize=20_000)
def _settled(path: str, _state: tuple[int, ...]) -> str:
    """The digest of a file that was written long ago; each write gives it another state."""
    return _hashed(path)


def _hashed(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
