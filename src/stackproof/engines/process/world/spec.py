"""What a service's room is made of, as the supervisor is told: names, networks, files, user.

Plain standard library, since the supervisor loads it; sent as JSON inside the service's spec.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

MountKind = Literal["bind", "overlay", "tmpfs"]

USUAL_SHM_SIZE = 64 << 20
"""Bytes of /dev/shm, as Docker has them."""

OWN = "/run/stackproof"
"""Where rooms show what is their run's own, so that each copy of a stack finds it at one path."""


def inside(run: Path, text: str) -> str:
    """A text with the paths of a run's folder as its rooms show them."""
    return text.replace(str(run), OWN)


@dataclass(frozen=True)
class MountSpec:
    """Something that lies at a path of the room.

    Attributes:
        target: Absolute path in the room.
        source: Folder or file of this machine; empty for a tmpfs.
        kind: `bind`, `overlay` (the source is seen, what is written goes elsewhere; several of the
            same target are seen together, a later one over an earlier one) or `tmpfs` (empty
            whenever the service starts).
        read_only: Whether nobody can write through it.
        size: How much a tmpfs may hold, as tmpfs(5) takes it; empty for no bound of its own.
        upper: Folder of the run for what is written to an overlay: it goes to `files` in there,
            and overlayfs has its own things in `work`. A `files` that exists is taken as it is.
        of_image: Whether it stands for what the image has, which all others lie above.
        owner: User and group that an overlay's files get; root stands for those of the source.
        fill: Whether an empty source gets what the image has at the target, as a new volume does.
        changes: Modes and owners of an overlay's files: path inside, mode as chmod(1) takes it,
            user, group (-1: as it is), whether it holds for all below as well.
    """

    target: str
    source: str = ""
    kind: MountKind = "bind"
    read_only: bool = False
    size: str = ""
    upper: str = ""
    of_image: bool = False
    owner: tuple[int, int] = (0, 0)
    fill: bool = False
    changes: tuple[tuple[str, str, int, int, bool], ...] = ()


@dataclass(frozen=True)
class InterfaceSpec:
    """The room's end of one network.

    Attributes:
        network: Name of the network.
        address: IPv4 address of the service on it.
        prefix: Length of the network's prefix.
        gateway: Address of the network's gateway.
        names: All names by which others on that network reach the service.
    """

    network: str
    address: str
    prefix: int
    gateway: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class RoomSpec:
    """What one service sees.

    Attributes:
        hostname: Its host name.
        root: Folder of the run that holds the room's own files; it becomes `/`.
        interfaces: Its networks, the one of the default route first; none: no network.
        hosts: Name to address, for /etc/hosts, beside its own.
        mounts: What lies at which path, in any order.
        uid: Numeric user of its processes; None stands for 0.
        gid: Numeric group; None stands for the user's number.
        user: The user's name in /etc/passwd; empty where it has none.
        home: The user's home folder there.
        working_dir: Folder that is made for it.
        read_only: Whether its own files can't be written; mounts still can.
        shm_size: Bytes of /dev/shm.
        joins: Service whose network it shares; empty for a network of its own.
        users: Further users, each with a group of its name and number.
        limits: Name of a limit → soft and hard bound, as setrlimit(2) has them; -1 for none.
        settings: Settings of the kernel, such as `net.core.somaxconn`, with their values.
        capabilities: Numbers of those that its processes have as root; None for Docker's.
        image: Folders with the layers of a built image, the lowest first (see `image_layers`).
        builds: Whether a layer is made in it: all folders of the machine can be written to, and
            what is written stays in the folder of the room.
    """

    hostname: str
    root: str
    interfaces: tuple[InterfaceSpec, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[MountSpec, ...] = ()
    uid: int | None = None
    gid: int | None = None
    user: str = ""
    home: str = "/root"
    working_dir: str = "/"
    read_only: bool = False
    shm_size: int = USUAL_SHM_SIZE
    joins: str = ""
    users: Mapping[str, int] = field(default_factory=dict)
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[int, ...] | None = None
    image: tuple[str, ...] = ()
    builds: bool = False

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RoomSpec:
        """Read back what `to_json` gave."""
        interfaces = (
            InterfaceSpec(**{**one, "names": tuple(one["names"])}) for one in value["interfaces"]
        )
        mounts = (
            MountSpec(
                **{
                    **one,
                    "owner": tuple(one["owner"]),
                    "changes": tuple(map(tuple, one["changes"])),
                }
            )
            for one in value["mounts"]
        )
        known = {**value, "interfaces": tuple(interfaces), "mounts": tuple(mounts)}
        known["image"] = tuple(value["image"])
        known["limits"] = {name: (soft, hard) for name, (soft, hard) in value["limits"].items()}
        if value["capabilities"] is not None:
            known["capabilities"] = tuple(value["capabilities"])
        return cls(**known)
