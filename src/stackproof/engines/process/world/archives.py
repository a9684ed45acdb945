"""Unpacks the archives that ADD brought into an image, for the rooms of a run."""

from __future__ import annotations

import platform
import posixpath
import tarfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from stackproof.engines.process.world.spec import MountSpec
from stackproof.errors import ConfigError
from stackproof.plan.world.copied import SHARED
from stackproof.plan.world.model import Layer
from stackproof.reaper.ownership import make_folders


def unpacked(layer: Layer, archive: Path, place: Path) -> Iterator[MountSpec]:
    """What is mounted for an archive, which is unpacked into the run.

    Args:
        layer: Where its content lies, and whom it belongs to.
        archive: The archive.
        place: A folder of the run for what belongs to the layer.

    Raises:
        ConfigError: If it can't be unpacked.
    """
    if not hasattr(tarfile, "tar_filter"):
        raise ConfigError(
            f"{archive} can't be unpacked safely by this Python",
            observed=f"Python {platform.python_version()} would follow any path in it",
            remedy="use Python 3.11.4 or later, or COPY its content",
        )
    folder = place.with_name(f"{place.name}-unpacked")
    make_folders(str(folder))
    folder.chmod(0o755)
    try:
        with tarfile.open(archive) as content:
            content.extractall(folder, numeric_owner=True, filter="tar")
    except (OSError, tarfile.TarError) as error:
        raise ConfigError(
            f"{archive} can't be unpacked",
            observed=str(error),
            remedy="make the archive anew, or COPY its content",
        ) from error
    for number, (target, source) in zip(count(), _laid_out(layer.target, folder), strict=False):
        upper = str(place.with_name(f"{place.name}-upper-{number}"))
        yield MountSpec(
            target, str(source), "overlay", upper=upper, of_image=True, owner=layer.owner
        )


def _laid_out(target: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Where each part goes: beside what folders of the system have, never over them."""
    if target not in SHARED:
        yield target, folder
        return
    for entry in sorted(folder.iterdir()):
        below = posixpath.join(target, entry.name)
        if entry.is_dir() and not entry.is_symlink() and below in SHARED:
            yield from _laid_out(below, entry)
        else:
            yield below, entry
