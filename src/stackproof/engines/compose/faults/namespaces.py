"""Network namespaces of containers, opened from this machine where they are really on it.

Sources: setns(2), pidfd_open(2), netdevice(7); Docker mounts each container's own /etc/hosts from a
folder that has the container's id in its name, which /proc/PID/mountinfo tells.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stackproof.engines.process.world.network.inside import Inside, enter
from stackproof.engines.process.world.network.namespaces import Interface
from stackproof.engines.process.world.network.netlink import Netlink
from stackproof.engines.process.world.network.nftables import Tables

SIOCGIFADDR = 0x8915
LOCAL = "unix://"
OTHER_WAY = "use --engine process with `world: private`, or pause a service"


class UnreachableError(Exception):
    """A container's network can't be entered from here; the text says why."""


def refusal(platform: str, user: int, engine: str) -> str:
    """Why this process can't enter networks of containers; empty if nothing speaks against it.

    Args:
        platform: `sys.platform`.
        user: The effective user id.
        engine: Address of the Docker Engine.
    """
    if not platform.startswith("linux"):
        return "the containers run in a virtual machine: this is no Linux"
    if not engine.startswith(LOCAL):
        return f"the Docker Engine is on another machine: {engine}"
    if user != 0:
        return f"only root may enter the network of a container; this is user {user}"
    return ""


class Container(NamedTuple):
    """A running container of a service.

    Attributes:
        service: The service.
        pid: Its main process, as the Docker Engine sees it.
        id: The container's.
        interfaces: Its places in the stack's networks.
    """

    service: str
    pid: int
    id: str
    interfaces: tuple[Interface, ...]


def container_of(service: str, found: Mapping[str, Any]) -> Container:
    """What matters of an inspected container.

    Raises:
        UnreachableError: If it does not run, or has addresses that a fault would miss.
    """
    if not found["State"]["Running"]:
        raise UnreachableError(f"{service} does not run, and has no network until it does")
    networks = found["NetworkSettings"]["Networks"]
    if any(place.get("GlobalIPv6Address") for place in networks.values()):
        raise UnreachableError(f"{service} has IPv6 addresses, which would stay within reach")
    interfaces = tuple(
        Interface(name, place["IPAddress"], int(place["IPPrefixLen"]), place.get("Gateway", ""), ())
        for name, place in networks.items()
        if place.get("IPAddress")
    )
    return Container(service, int(found["State"]["Pid"]), str(found["Id"]), interfaces)


class ContainerRoom:
    """The network namespace of a container; `engines.process.world.network.faults.Place`.

    Args:
        container: Whose it is.
        process: A pidfd of its main process; the room's from now on.
        namespace: The namespace; the same.

    Attributes:
        netlink: Changes its neighbours.
        tables: Take its rules.
        tables_in_use: Names of those that it has.
        indices: Its interfaces, in the container's order.
    """

    def __init__(self, container: Container, process: int, namespace: int) -> None:
        self.container = container
        self.process = process
        self.namespace = namespace
        enter(namespace)
        self.netlink = Netlink()
        self.tables = Tables()
        self.tables_in_use: set[str] = set()
        self.indices = [_index_of(one.address) for one in container.interfaces]

    def close(self) -> None:
        """Let go of the namespace; what was set in it stays as long as the container runs."""
        self.netlink.close()
        self.tables.close()
        os.close(self.namespace)
        os.close(self.process)


def open_room(inside: Inside, container: Container) -> ContainerRoom:
    """Enter the network of a container.

    Args:
        inside: A thread that may be anywhere.
        container: Whose network it is.

    Raises:
        UnreachableError: If that can't be, with the step that failed.
    """
    with contextlib.ExitStack() as undo:
        try:
            process = os.pidfd_open(container.pid)
            undo.callback(os.close, process)
            _require_here(container)
            place = f"/proc/{container.pid}/ns/net"
            namespace = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            undo.callback(os.close, namespace)
            room = inside.do(lambda: ContainerRoom(container, process, namespace))
        except OSError as error:
            raise UnreachableError(
                f"can't enter the network of {container.service}: {error.strerror or error}"
            ) from error
        undo.pop_all()
        return room


def _require_here(container: Container) -> None:
    """Make sure that the process is the container's, and not another one with its number.

    Raises:
        UnreachableError: If it is not: the Docker Engine counts processes of another machine.
    """
    with contextlib.suppress(OSError):
        if f"/{container.id}/" in Path(f"/proc/{container.pid}/mountinfo").read_text():
            return
    raise UnreachableError(
        f"process {container.pid} of this machine is not that of {container.service}: the Docker "
        "Engine runs in a virtual machine (Docker Desktop), or this command in a container"
    )


def _index_of(address: str) -> int:
    """The interface that has an address, in the namespace of the calling thread.

    Raises:
        OSError: If none has.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        for index, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(asking, SIOCGIFADDR, request)
            except OSError:
                continue  # it has no address
            if socket.inet_ntoa(answer[20:24]) == address:
                return index
    raise OSError(f"no interface has the address {address}")
