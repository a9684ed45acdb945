"""What the folder of a service says of it: packages it depends on, tools it has, what it starts."""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stackproof.errors import ConfigError
from stackproof.plan.services.built_stage import Image
from stackproof.plan.services.drafts import read_image
from stackproof.plan.services.known_images import recognise
from stackproof.stack_file.model import Service, StackFile
from stackproof.stack_file.regular_files import read_text_file

_REQUIREMENT = re.compile(r"^[A-Za-z0-9][\w.-]*")
_SCRIPT = re.compile(r"(?<![\w./-])[\w./-]+\.(?:sh|py|js)\b")

_FOLDERS = ("dependencies", "dev-dependencies", "packages", "dev-packages")
"""Tables of a Pipfile or of Poetry whose keys are packages."""


@dataclass(frozen=True)
class Place:
    """A folder of this machine that a service has in its file system.

    Attributes:
        folder: The folder.
        seen_at: Where it is, from the folder that the service works in; empty for that folder.
    """

    folder: Path
    seen_at: str = ""

    def path(self, file: Path) -> str:
        """A file below the folder as the service sees it."""
        return posixpath.join(self.seen_at, file.relative_to(self.folder).as_posix())


@dataclass(frozen=True)
class SourceTree:
    """One service and the folders that it is made from.

    Attributes:
        service: The service.
        folder: Its build context; None for an image.
        argv: What it starts; empty where that can't be known.
        places: What its Dockerfile copies and its mounts bring.
        is_checked: Whether a health check is made for it: its own, or that of the Dockerfile whose
            command it runs.
    """

    service: Service
    folder: Path | None = None
    argv: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    is_checked: bool = False

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.service.name

    @property
    def is_native(self) -> bool:
        """Whether it is a server that everybody knows, such as PostgreSQL."""
        image = self.service.image
        return self.folder is None and image is not None and recognise(image) is not None

    @cached_property
    def packages(self) -> frozenset[str]:
        """Names of all packages that its manifests and locks name, in their usual spelling."""
        folders = [place.folder for place in self.places]
        return frozenset(
            re.sub(r"[._]+", "-", name).lower()
            for folder in dict.fromkeys([*([self.folder] if self.folder else []), *folders])
            for name in _packages(folder)
        )

    @cached_property
    def starts(self) -> str:
        """What it starts, as one text: its command, and the scripts that the command names."""
        text = " ".join(self.argv)
        return "\n".join([text, *self._scripts(text)])

    def _scripts(self, text: str) -> Iterator[str]:
        for word in dict.fromkeys(_SCRIPT.findall(text)):
            found = self.find(Path(word).name)
            if found is not None:
                yield _text(found[1])

    def find(self, name: str) -> tuple[str, Path] | None:
        """A file of the service, in one of its places or a folder right below.

        Args:
            name: Its path, such as `prisma/schema.prisma`.

        Returns:
            The path as the service sees it from the folder that it works in, and the file; None
            where there is none.
        """
        return next(self.all(name, f"*/{name}"), None)

    def all(self, *patterns: str) -> Iterator[tuple[str, Path]]:
        """The files that patterns mean, in the same form, those of the first pattern first.

        Args:
            patterns: As `Path.glob` takes them.
        """
        for pattern in patterns:
            for place in self.places:
                for path in sorted(place.folder.glob(pattern)):
                    hidden = path.relative_to(place.folder).parts[0].startswith(".")
                    if path.is_file() and not hidden:
                        yield place.path(path), path


def source_trees(stack_file: StackFile, services: Iterable[Service]) -> list[SourceTree]:
    """The folders of services; what can't be read of one is left out.

    Args:
        stack_file: Where they stand.
        services: The services, each with the build that it runs.
    """
    return [_source_tree(stack_file, service) for service in services]


def _source_tree(stack_file: StackFile, service: Service) -> SourceTree:
    entrypoint, command = service.entrypoint, service.command
    try:
        image = read_image(stack_file, service)
    except ConfigError:
        image = None
    if image is not None and entrypoint is None:
        entrypoint = image.entrypoint
        command = image.command if command is None else command
    folder = service.build.context if service.build else None
    argv = (*(entrypoint or ()), *(command or ()))
    places = tuple(_places(service, image, folder))
    return SourceTree(service, folder, argv, places, _is_checked(service, image))


def _is_checked(service: Service, image: Image | None) -> bool:
    runs_image = service.command is None and service.entrypoint is None
    is_of_image = image is not None and image.healthcheck is not None and runs_image
    return service.healthcheck is not None or is_of_image


def _places(service: Service, image: Image | None, folder: Path | None) -> Iterator[Place]:
    """The folders of this machine that a service has, and where it sees them."""
    workdir = service.working_dir or (image.workdir if image else "/")
    brought = [(Path(mount.source), mount.target) for mount in service.mounts
               if mount.kind == "bind" and mount.source]  # fmt: skip
    if image is not None and folder is not None:
        copied = image.brought or image.copied
        brought += [(folder / one.source, one.target) for one in copied if "*" not in one.source]
    seen = {source: posixpath.relpath(target, workdir) for source, target in brought}
    found = {source: "" if at == "." else at for source, at in seen.items() if source.is_dir()}
    if folder is not None and not found:
        found = {folder: ""}
    return (Place(source, seen_at) for source, seen_at in found.items())


def _packages(folder: Path) -> Iterator[str]:
    for path in (*folder.glob("requirements*.txt"), *folder.glob("requirements/*.txt")):
        for line in _text(path).splitlines():
            if match := _REQUIREMENT.match(line.strip()):
                yield match[0]
    yield from _of_table(_toml(folder / "pyproject.toml"))
    for name in ("Pipfile", "poetry.lock", "uv.lock"):
        yield from _of_table(_toml(folder / name))
    yield from _of_node(folder / "package.json")


def _of_table(table: Mapping[str, Any]) -> Iterator[str]:
    """Names of packages in any table of a project, a Pipfile or a lock."""
    for key, value in table.items():
        if key == "package" and isinstance(value, list):
            yield from (str(entry.get("name", "")) for entry in value if isinstance(entry, dict))
        elif isinstance(value, dict):
            if key in _FOLDERS:
                yield from value
            yield from _of_table(value)
        elif isinstance(value, list):
            for entry in value:
                if isinstance(entry, str) and (match := _REQUIREMENT.match(entry)):
                    yield match[0]


def _of_node(path: Path) -> Iterator[str]:
    for key in ("dependencies", "devDependencies"):
        found = node_manifest(path).get(key)
        yield from found if isinstance(found, dict) else ()


def node_manifest(path: Path) -> Mapping[str, Any]:
    """A `package.json`; empty where it can't be read.

    Args:
        path: The file.
    """
    try:
        found = json.loads(_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _text(path: Path) -> str:
    try:
        return read_text_file(path, errors="replace")
    except OSError:
        return ""
