"""Copies of folders and volumes that cost nothing until they are written to: overlay volumes.

What is written goes to a volume of the run, so Docker removes it whoever has written it. A helper
container that is never started lets the Docker Engine make its folders, and try the mount.
Source: overlayfs in the kernel's documentation; `docker volume create`, options of `local`.
"""

from __future__ import annotations

import contextlib
import filecmp
import io
import os
import shutil
import socket
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError, ImageNotFound, NotFound

from stackproof.engines.compose.mounts import copied_files, copied_folders
from stackproof.plan.model import Plan
from stackproof.plan.mounts.model import PlannedMount

EMPTY_IMAGE = "stackproof/empty:1"
"""An image without a file, for containers that are never started."""

WRITTEN = "-written"
"""Ending of the name of the volume that has what was written to a copy."""

_UNSAFE = set(',:\\"')
"""Characters that have a meaning in the options of overlayfs."""

_IGNORED = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})


def why_not_here(client: DockerClient) -> str:
    """Why no folder of this machine can be copied for a Docker Engine; empty where it can."""
    about = client.info()
    if about.get("OperatingSystem") == "Docker Desktop":
        return "Docker Desktop runs its containers in a virtual machine"
    if any("rootless" in option for option in about.get("SecurityOptions") or ()):
        return "the Docker Engine runs without root"
    here = (socket.gethostname(), os.uname().release)
    if (about.get("Name"), about.get("KernelVersion")) != here:
        return f"the Docker Engine is on another machine, {about.get('Name')}"
    return ""


class Copies:
    """Makes the copies of one run.

    Args:
        client: The Docker Engine.
        project: Name of the copy of the stack.
        labels: What everything is marked with.
    """

    def __init__(self, client: DockerClient, project: str, labels: Mapping[str, str]) -> None:
        self.client = client
        self.api = client.api
        self.project = project
        self.labels = dict(labels)

    def make(self, folders: Mapping[str, PlannedMount]) -> dict[str, str]:
        """Make overlay volumes; those that are there from before are used as they are.

        Args:
            folders: Name of the copy to what is copied.

        Returns:
            Source to why it can't be copied.
        """
        if not folders:
            return {}
        refused = why_not_here(self.client)
        if refused:
            return {folder.source: refused for folder in folders.values()}
        self._ensure_image()
        found = {folder.source: self._make(key, folder) for key, folder in folders.items()}
        return {source: why for source, why in found.items() if why}

    def _make(self, key: str, mount: PlannedMount) -> str:
        name = f"{self.project}_{key}"
        written = f"{name}{WRITTEN}"
        if self.is_there(name):
            return ""
        try:
            lower = self._lower(mount)
            if _UNSAFE & set(lower):
                return "overlayfs can't take a path with a comma, colon, quote or backslash"
            if Path(self.client.info()["DockerRootDir"]).is_relative_to(lower):
                return "the Docker Engine keeps its own files inside it"
            self._volume(written, {})
            with self._helper(written) as helper:
                self.api.put_archive(helper, "/at", _layers(Path(lower)))
            place = self.api.inspect_volume(written)["Mountpoint"]
            layers = f"lowerdir={lower},upperdir={place}/upper,workdir={place}/work"
            self._volume(name, {"type": "overlay", "device": "overlay", "o": layers})
            with self._helper(name) as helper:
                stream, _ = self.api.get_archive(helper, "/at/.")  # mounts it, as a start does
                stream.close()
        except (APIError, OSError) as error:
            self._drop(name, written)
            return str(getattr(error, "explanation", None) or error)
        return ""

    def _lower(self, mount: PlannedMount) -> str:
        if mount.kind == "bind":
            return str(Path(mount.source).resolve())
        about = self.api.inspect_volume(mount.source)
        if about["Driver"] != "local" or about.get("Options"):
            raise OSError(f"the volume {mount.source} is kept by a driver or option of its own")
        return str(about["Mountpoint"])

    def is_there(self, volume: str) -> bool:
        """Whether Docker has a volume."""
        try:
            self.api.inspect_volume(volume)
        except NotFound:
            return False
        return True

    def _volume(self, name: str, options: Mapping[str, str]) -> None:
        self.api.create_volume(name, driver="local", driver_opts=dict(options), labels=self.labels)

    def _drop(self, *names: str) -> None:
        for name in names:
            with contextlib.suppress(APIError):
                self.api.remove_volume(name)

    @contextlib.contextmanager
    def _helper(self, volume: str) -> Any:
        binds = self.api.create_host_config(binds=[f"{volume}:/at:nocopy"])
        made = self.api.create_container(
            EMPTY_IMAGE, command=["none"], host_config=binds, labels=self.labels
        )["Id"]
        try:
            yield made
        finally:
            with contextlib.suppress(NotFound):
                self.api.remove_container(made, force=True)

    def _ensure_image(self) -> None:
        try:
            self.client.images.get(EMPTY_IMAGE)
        except ImageNotFound:
            repository, _, tag = EMPTY_IMAGE.partition(":")
            self.api.import_image_from_data(_archive({}), repository=repository, tag=tag)

    def is_written(self, volume: str) -> bool:
        """Whether anything but caches was written to a copy."""
        self._ensure_image()
        with self._helper(f"{volume}{WRITTEN}") as helper:
            stream, _ = self.api.get_archive(helper, "/at/upper")
            with tarfile.open(fileobj=_Stream(stream), mode="r|") as archive:
                return any(_counts(member) for member in archive)


def unchanged_copies(client: DockerClient, plan: Plan, labels: Mapping[str, str]) -> set[str]:
    """The copies of a run that were not written to: names of volumes, and paths of files.

    Args:
        client: The Docker Engine.
        plan: What runs.
        labels: What helpers are marked with.
    """
    copies = Copies(client, plan.project, labels)
    names = {f"{plan.project}_{key}" for key in copied_folders(plan)}
    folders = {name for name in names if copies.is_there(name) and not copies.is_written(name)}
    files = {
        str(path)
        for file, path in copied_files(plan)
        if path.exists() and filecmp.cmp(path, file.source, shallow=False)
    }
    return folders | files


def copy_files(plan: Plan) -> dict[str, str]:
    """Make the run's copies of single files; gives source to why one could not be made."""
    refused: dict[str, str] = {}
    for file, path in copied_files(plan):
        if path.exists():
            continue
        try:
            path.parent.mkdir(exist_ok=True)
            shutil.copy2(file.source, path)
            about = Path(file.source).stat()
            if os.getuid() == 0:
                os.chown(path, about.st_uid, about.st_gid)
        except OSError as error:
            refused[file.source] = str(error)
    return refused


def _counts(member: tarfile.TarInfo) -> bool:
    parts = member.name.split("/")
    return not member.isdir() and not _IGNORED & set(parts)


def _layers(lower: Path) -> bytes:
    """An archive of `upper` and `work`; the upper folder has owner and mode of the source."""
    about = lower.stat()
    return _archive({"upper": (about.st_mode & 0o7777, about.st_uid, about.st_gid),
                     "work": (0o755, 0, 0)})  # fmt: skip


def _archive(folders: Mapping[str, tuple[int, int, int]]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, (mode, user, group) in folders.items():
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, mode, user, group
            archive.addfile(member)
    return written.getvalue()


class _Stream(io.RawIOBase):
    """Chunks of bytes as a file that can be read once."""

    def __init__(self, chunks: Any) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        return taken
