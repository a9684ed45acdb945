"""The files of a room: its own root, what lies in it, and its mounts.

Sources: mount_namespaces(7), pivot_root(2).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence

from stackproof.engines.process.world import files, identity
from stackproof.engines.process.world.failures import step
from stackproof.engines.process.world.image_layers import OpenLayers, cover, open_layers
from stackproof.engines.process.world.mounts import (
    Mounts,
    make_work,
    mount_overlay,
    open_sources,
)
from stackproof.engines.process.world.program import USUAL_UMASK, enter_folder
from stackproof.engines.process.world.spec import MountSpec, RoomSpec
from stackproof.reaper import kernel


def make(spec: RoomSpec, network: int, mounts: Sequence[MountSpec], *, one_id: bool) -> None:
    """Make the namespaces of mounts and of the host name, with all files; called in a new process.

    Args:
        spec: What the service sees.
        network: Handle of its network namespace; -1 for this process's.
        mounts: Its mounts, outer ones first.
        one_id: Whether there is a single user to have.

    Raises:
        RoomError: Naming the step that failed.
    """
    os.umask(USUAL_UMASK)
    with step("make namespaces of mounts and of the host name"):
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS)
        kernel.make_mounts_private()
        kernel.set_hostname(spec.hostname)
    if network >= 0:
        with step("join the network"):
            kernel.join(network, kernel.CLONE_NEWNET)
    sources = open_sources(mounts)
    machine = f"/.machine-{secrets.token_hex(8)}"
    layers = open_layers(spec, files.of_the_machine().folders)
    with step(f"make {spec.root} the root"):
        enter_folder(_mount_root(spec, layers))
        os.mkdir(f".{machine}")
        kernel.pivot_root(f".{machine}")
    files.furnish(machine)
    cover(layers, machine)
    Mounts(mounts, sources, machine).make()
    _make_own_folders(spec, one_id=one_id)
    with step("let go of the machine's root"):
        kernel.unmount(machine)
        os.rmdir(machine)


def _mount_root(spec: RoomSpec, layers: OpenLayers) -> str:
    """Mount the root; others of this machine can't get to what is written to it."""
    os.makedirs(spec.root, 0o700, exist_ok=True)
    os.chmod(spec.root, 0o700)
    root = f"{spec.root}/root"
    files.make_folder(root)
    files.make_folder(f"{spec.root}/files")
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NODEV, "mode=755,size=4m")
    files.lay_out(spec, root)
    make_work(spec.root)
    lower, upper = (os.open(path, os.O_PATH | os.O_CLOEXEC) for path in (root, spec.root))
    seen = [f"/proc/self/fd/{one}" for one in (*layers.files, lower)]
    mount_overlay(root, seen, f"/proc/self/fd/{upper}", "")
    return root


def _make_own_folders(spec: RoomSpec, *, one_id: bool) -> None:
    """Make the folder to start in and the user's home, which is the user's."""
    with step(f"make the folder {spec.working_dir}"):
        files.make_folder(spec.working_dir)
    with step(f"make the home {spec.home}"):
        if not os.path.exists(spec.home):
            files.make_folder(spec.home)
            os.chmod(spec.home, 0o700 if not spec.uid else 0o755)
            if not one_id:
                os.chown(spec.home, spec.uid or 0, identity.group_of(spec))
