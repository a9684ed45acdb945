"""A private world as one service sees it, as plain data: nothing in it is of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

WorldName = Literal["private", "host"]


@dataclass(frozen=True)
class Interface:
    """One network that a service is in.

    Attributes:
        network: The key of the network in the stack file; `default` for the project's own.
        address: Its IPv4 address there, the same in each copy of the stack.
        prefix: Length of the network's prefix.
        gateway: The address of the bridge; empty where the network is internal, so that no route
            leads out.
        names: The names by which others in that network reach it; the first is its reverse name.
    """

    network: str
    address: str
    prefix: int
    gateway: str
    names: tuple[str, ...]


NOBODY = (-1, -1)
"""An owner that is left alone, as chown(2) takes it."""


@dataclass(frozen=True)
class Change:
    """A mode or an owner that a file of the image has, other than on this machine.

    Attributes:
        path: The file, relative to its layer; `.` for the layer itself.
        mode: As chmod(1) takes it; empty where it stays.
        owner: User and group; -1 for one that stays.
        deep: Whether it holds for all that is below, too.
    """

    path: str
    mode: str = ""
    owner: tuple[int, int] = NOBODY
    deep: bool = False


@dataclass(frozen=True)
class Layer:
    """One file or folder of a service's file system; later layers lie above earlier ones.

    Attributes:
        target: Absolute path that the service sees.
        source: File or folder of this machine; None for an empty folder.
        kind: `bind` (the source itself), `overlay` (the source as it is, writes stay in the run; of
            a file, a copy) or `tmpfs`. Overlays with the same target are one folder: the files of a
            later one are seen before those of an earlier one.
        read_only: Whether the service can't write to it.
        size: Upper bound of a tmpfs, as tmpfs(5) takes it; empty for none.
        owner: User and group that a new folder, or what COPY brought, belongs to; root where it is
            not said.
        hidden: Paths below the source that the service does not see, as `.dockerignore` says.
        fill: Whether it gets what the image has at its target while it is empty.
        unpacks: Whether the source is an archive, of which the content lies at the target.
        changes: Modes and owners that files of it have in the image, in order.
    """

    target: str
    source: Path | None
    kind: Literal["bind", "overlay", "tmpfs"]
    read_only: bool = False
    size: str = ""
    owner: tuple[int, int] = (0, 0)
    hidden: tuple[str, ...] = ()
    fill: bool = False
    unpacks: bool = False
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Account:
    """The user that a service runs as.

    Attributes:
        uid: Number of the user.
        gid: Number of its group.
        name: Its name; empty where it has none.
        home: Its home, which HOME names where the environment does not.
    """

    uid: int = 0
    gid: int = 0
    name: str = ""
    home: str = "/"


ROOT = Account(0, 0, "root", "/root")


@dataclass(frozen=True)
class World:
    """What one service sees; its environment is that of its plan.

    Attributes:
        hostname: Its own name.
        interfaces: Its networks, the one with the default route first; empty where it has none, or
            shares those of another service.
        hosts: Further names with their addresses: `extra_hosts` and `links`.
        layers: Its files beside the system's, in the order in which they are laid out.
        user: The user that it runs as.
        working_dir: The folder that it starts in.
        read_only: Whether it can write to its layers and tmpfs alone.
        shm_size: Bytes of /dev/shm; None for the usual 64 MiB.
        joins: The service whose network it shares; empty for its own.
        init: Whether a process reaps orphans in front of it.
        limits: Name → soft and hard bound of its processes, as setrlimit(2) has them; -1: none.
        settings: Settings of the kernel, such as `net.core.somaxconn`.
        capabilities: Numbers of those that it has as root; None for the usual ones.
    """

    hostname: str
    interfaces: tuple[Interface, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()
    user: Account = ROOT
    working_dir: str = "/"
    read_only: bool = False
    shm_size: int | None = None
    joins: str = ""
    init: bool = False
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[int, ...] | None = None

    @property
    def address(self) -> str:
        """Its first address; empty where it has none of its own."""
        return self.interfaces[0].address if self.interfaces else ""

    def seen_at(self, path: Path) -> str | None:
        """Where the service sees a file or folder of this machine; None where it does not.

        Args:
            path: Absolute path, without links.
        """
        for layer in reversed(self.layers):
            if layer.source is not None and path.is_relative_to(layer.source):
                inside = path.relative_to(layer.source)
                return str(PurePosixPath(layer.target, inside))
        return None

    def source_of(self, target: str) -> Path | None:
        """The file or folder of this machine that a path of the service is; None for none."""
        wanted = PurePosixPath(target)
        for layer in reversed(self.layers):
            if layer.source is not None and wanted.is_relative_to(layer.target):
                found = layer.source / wanted.relative_to(layer.target)
                if layer.kind == "bind" or found.exists():
                    return found
        return None

    def files_below(self, folder: str) -> dict[str, Path]:
        """The files that the service sees in a folder: its path → file of this machine.

        Args:
            folder: Absolute path that the service sees.
        """
        found = {}
        whole = self.source_of(folder)
        layers = [(folder, whole)] if whole is not None else []
        layers += [
            (layer.target, layer.source)
            for layer in self.layers
            if layer.source is not None and PurePosixPath(layer.target).is_relative_to(folder)
        ]
        for target, source in layers:
            paths = source.rglob("*") if source.is_dir() else [source]
            for path in paths:
                if not path.is_dir():
                    found[str(PurePosixPath(target, path.relative_to(source)))] = path
        return found
