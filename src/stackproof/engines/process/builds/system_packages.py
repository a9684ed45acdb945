"""Packages of the system for builds: Debian's, unpacked, as a layer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key
from stackproof.engines.process.builds.toolchain import usr_of
from stackproof.engines.process.images import Runner
from stackproof.engines.process.images.debian import Packages, missing_packages, unpack
from stackproof.errors import EngineUnavailable

OF_USR = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Folders that lead into /usr."""


@dataclass(frozen=True)
class PackageLayer:
    """What packages bring.

    Attributes:
        layer: Their layer; None where this machine has all of them.
        notice: What a person should know; empty for nothing.
    """

    layer: Path | None = None
    notice: str = ""


def package_layer(wanted: Sequence[str], shelf: Path, cache: Path, runner: Runner) -> PackageLayer:
    """The layer with packages that this machine lacks.

    Args:
        wanted: Names of packages, as Debian has them.
        shelf: The folder of all layers.
        cache: The configured cache folder.
        runner: Runs a preparation.

    Raises:
        EngineUnavailable: If there is no such package, or no apt on this machine.
    """
    found = missing_packages(wanted, cache)
    if found is None:
        raise EngineUnavailable(
            f"the packages {', '.join(wanted)} can't be had here",
            checked=["apt-get install --simulate: no apt on this machine, or one is not known"],
            remedy="install what they bring on this machine and take them out of the Dockerfile, "
            "leave the service out by `services: {exclude: [...]}`, or use --engine compose",
        )
    if not found.versions:
        return PackageLayer()
    path = shelf / f"packages-{content_key(sorted(found.versions.items()))}"
    layer = cached_folder(path, partial(_fill, found, cache, runner))
    named = ", ".join(found.versions)
    return PackageLayer(layer, f"Debian's packages are unpacked, not configured: {named}")


def _fill(packages: Packages, cache: Path, runner: Runner, draft: Path) -> None:
    root = unpack(packages, cache, runner)
    usr = usr_of(draft)
    rest = draft / "files"
    rest.mkdir()
    rest.chmod(0o755)
    for entry in root.iterdir():
        target = usr if entry.name == "usr" else rest / entry.name
        target = usr / entry.name if entry.name in OF_USR else target
        if not entry.is_symlink():
            shutil.copytree(entry, target, symlinks=True, dirs_exist_ok=True, copy_function=_linked)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
