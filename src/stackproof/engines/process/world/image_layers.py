"""The layers of a built image in a room: what its build has written, over what the room has anyway.

A layer is a folder: `files` is what lies over the root, and `parts` has a folder for each folder of
the machine that something was written to, such as /usr; overlayfs notes in them what was removed.
Source: overlayfs in the kernel's documentation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from stackproof.engines.process.world import files
from stackproof.engines.process.world.failures import step
from stackproof.engines.process.world.mounts import make_work, mount_overlay
from stackproof.engines.process.world.spec import RoomSpec

FILES, PARTS = "files", "parts"

WRITTEN_BELOW_USR = (
    *("bin", "include", "lib", "local", "sbin", "share", "src"),
    *(f"local/{name}" for name in ("bin", "etc", "include", "lib", "sbin", "share", "src")),
)
"""Folders of /usr that builds write to, such as /usr/src/app: the root of an ordinary user's
namespace may not write to those of this machine, but to its own over them."""


def part_of(name: str) -> str:
    """Where a layer, or a room, keeps what was written to a folder of the machine.

    Args:
        name: The folder, relative to the root, such as `usr` or `etc/ssl/certs`.
    """
    return f"{PARTS}/{name.replace('/', '%')}"


@dataclass(frozen=True)
class OpenLayers:
    """Handles of what layers have; they last as long as the process.

    Attributes:
        files: What lies over the root, the uppermost first.
        parts: Folder of the machine → what lies over it, the uppermost first.
        written: Folder of the machine → where the room keeps what is written to it.
    """

    files: tuple[int, ...] = ()
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    written: Mapping[str, int] = field(default_factory=dict)


def open_layers(spec: RoomSpec, folders: Iterable[str]) -> OpenLayers:
    """Open the layers of a room, while the machine's files are where they are.

    Args:
        spec: The room.
        folders: Folders of the machine that it has, relative to the root.

    Raises:
        RoomError: If a layer is missing.
    """
    parts, written = {}, {}
    with step("open the layers of its image"):
        uppermost_first = spec.image[::-1]
        shown = [_open(f"{layer}/{FILES}") for layer in uppermost_first]
        for name in folders:
            places = (f"{layer}/{part_of(name)}" for layer in uppermost_first)
            found = tuple(_open(place) for place in places if os.path.isdir(place))
            if found or spec.builds:
                parts[name] = found
                written[name] = _open(_place_for(f"{spec.root}/{part_of(name)}", name))
    return OpenLayers(tuple(shown), parts, written)


def _open(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC)


def _place_for(place: str, name: str) -> str:
    files.make_folder(f"{place}/files")
    os.chmod(f"{place}/files", os.stat(f"/{name}").st_mode & 0o7777)
    for inner in WRITTEN_BELOW_USR if name == "usr" else ():
        if os.path.isdir(f"/usr/{inner}") and not os.path.islink(f"/usr/{inner}"):
            files.make_folder(f"{place}/files/{inner}")
            os.chmod(f"{place}/files/{inner}", os.stat(f"/usr/{inner}").st_mode & 0o7777)
    make_work(place)
    return place


def leave_out_empty(folder: str) -> None:
    """Remove the folders that `open_layers` has made and that nothing was written to.

    Args:
        folder: What was written to /usr.
    """
    for inner in reversed(WRITTEN_BELOW_USR):
        with suppress(OSError):  # it is missing, or not empty
            os.rmdir(f"{folder}/{inner}")


def cover(layers: OpenLayers, machine: str) -> None:
    """Lay what layers have over the folders of the machine, which can be written to then.

    Args:
        layers: The layers.
        machine: Where the machine's own root is seen.

    Raises:
        RoomError: Naming the folder that it failed for.
    """
    for name, handles in layers.parts.items():
        with step(f"lay the layers of its image over /{name}"):
            lower = [*(f"{machine}/proc/self/fd/{one}" for one in handles), f"{machine}/{name}"]
            upper = f"{machine}/proc/self/fd/{layers.written[name]}"
            mount_overlay(f"/{name}", lower, upper, machine)
