"""The files that a room has of its own: /etc, /dev, /sys, and the usual folders.

They are laid out in memory, as the lowest layer of the root; what a service writes goes to the
layer above, on disk, and stays while the room does. Mounts follow when that is the root; the
machine's own files are still reachable then, under a folder that is taken away at the end. So links
are followed as the service would see them.
Sources: Docker's default masked and read-only paths; hosts(5), resolv.conf(5), hier(7).
"""

from __future__ import annotations

import errno
import fnmatch
import functools
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from stackproof.engines.process.world import identity
from stackproof.engines.process.world.failures import step
from stackproof.engines.process.world.spec import RoomSpec
from stackproof.reaper import kernel
from stackproof.reaper.kernel import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC

PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Beside /usr: links into it on most machines, folders on others."""

FOLDERS = (
    *("boot dev etc home media mnt opt proc root run run/lock srv sys tmp usr var".split()),
    *(f"var/{name}" for name in "backups cache lib local log mail opt spool tmp www".split()),
    *("var/lib/misc", "etc/ssl", "etc/pki", "etc/opt"),
)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "core": "/proc/kcore",
    "ptmx": "pts/ptmx",
}
LINKS = {
    "var/run": "../run",
    "var/lock": "../run/lock",
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "etc/mtab": "/proc/mounts",
}
SHOWN_IN_ETC = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "debian_version", "fonts"),
    *("gai.conf", "ImageMagick-*", "java-*", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("locale.alias", "mime.types", "os-release", "perl", "protocols", "python3*", "rpc"),
    *("services", "terminfo", "crypto-policies"),
)
"""What programs of /usr need and tells nothing of this machine's users."""

CERTIFICATES = (
    *("ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem", "pki/ca-trust", "pki/tls/certs"),
    *("pki/tls/cert.pem", "pki/tls/openssl.cnf", "pki/java"),
)
"""Never the folders around them: private keys of this machine lie beside."""

NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
RESOLVER = "nameserver 127.0.0.11\noptions ndots:0\n"
MASKED_IN_SYS = ("firmware", "devices/virtual/powercap")
NO_PROGRAMS = MS_NOSUID | MS_NODEV | MS_NOEXEC


def lay_out(spec: RoomSpec, root: str) -> None:
    """Make the folders, links and texts.

    Args:
        spec: What is wanted.
        root: An empty folder.

    Raises:
        OSError: If that fails.
    """
    for name in FOLDERS:
        os.makedirs(f"{root}/{name}", exist_ok=True)
    for name in ("tmp", "var/tmp", "run/lock"):
        os.chmod(f"{root}/{name}", 0o1777)  # noqa: S103 - as everywhere
    machine = of_the_machine()
    for name, target in {**LINKS, **machine.links}.items():
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        os.symlink(target, f"{root}/{name}")
    for name in machine.folders:
        os.makedirs(f"{root}/{name}", exist_ok=True)
    for name in machine.files:
        _make_empty(f"{root}/{name}", folder=False)
    for name, text in texts(spec).items():
        _make_empty(f"{root}/{name}", folder=False)
        with open(f"{root}/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def furnish(machine: str) -> None:
    """Mount what is of the machine, and devices, when what was laid out is the root.

    Args:
        machine: Where the machine's own root is seen.

    Raises:
        RoomError: Naming the step that failed.
    """
    seen = of_the_machine()
    for name in (*seen.folders, *seen.files):
        with step(f"show /{name}"):
            show(f"{machine}/{name}", f"/{name}", read_only=True)
    with step("make /dev"):
        _make_devices(machine)
    with step("mount /sys"):
        _mount_sys(machine)
    with step("keep /proc"):  # for the new ones: see `renewal`
        kernel.mount(f"{machine}/proc", "/proc", None, MS_BIND | MS_REC)


@dataclass(frozen=True)
class Machine:
    """What of this machine every room has, read-only; names are relative to the root.

    Attributes:
        folders: Folders.
        files: Files.
        links: Links, and where they lead.
    """

    folders: tuple[str, ...]
    files: tuple[str, ...]
    links: Mapping[str, str]


@functools.cache
def of_the_machine() -> Machine:
    """Look once, in the process that makes rooms."""
    wanted = re.compile("|".join(map(fnmatch.translate, SHOWN_IN_ETC)))
    etc = (*filter(wanted.match, os.listdir("/etc")), *CERTIFICATES)
    there = [
        name for name in ("usr", *PROGRAMS, *(f"etc/{one}" for one in etc))
        if os.path.exists(f"/{name}")
    ]  # fmt: skip
    links = {name: os.readlink(f"/{name}") for name in there if os.path.islink(f"/{name}")}
    real = [name for name in there if name not in links]
    folders = tuple(name for name in real if os.path.isdir(f"/{name}"))
    return Machine(folders, tuple(name for name in real if name not in folders), links)


def texts(spec: RoomSpec) -> dict[str, str]:
    """Files that are the room's own, and what they say."""
    return {
        "etc/timezone": "Etc/UTC\n",
        "etc/nsswitch.conf": NSSWITCH,
        "etc/hostname": f"{spec.hostname}\n",
        "etc/hosts": hosts(spec),
        "etc/resolv.conf": RESOLVER if spec.interfaces or spec.joins else "",
        "etc/passwd": identity.passwd(spec),
        "etc/group": identity.group(spec),
    }


def make_folder(path: str) -> None:
    """Make a folder and those above it, readable for all; nothing happens if it exists."""
    os.makedirs(path, 0o755, exist_ok=True)


def show(source: str, target: str, *, read_only: bool) -> None:
    """Bind a folder or a file of the machine to a path of the room, which is made if missing.

    Args:
        source: Where it is seen now; `/proc/self/fd/N` of the machine's /proc does as well.
        target: Where it shall be.
        read_only: Whether nobody can write through it.

    Raises:
        OSError: If the kernel refuses.
    """
    folder = stat.S_ISDIR(os.stat(source).st_mode)
    make_place(target, folder=folder)
    if os.path.isdir(target) != folder:
        kinds = ("a folder", "a file") if folder else ("a file", "a folder")
        raise OSError(errno.ENOTDIR, f"the source is {kinds[0]}, and {target} is {kinds[1]}")
    kernel.mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        kernel.make_read_only(target)


def make_place(target: str, *, folder: bool) -> None:
    """Make an empty folder or file to mount on, behind links; nothing happens if there is one."""
    _make_empty(os.path.realpath(target), folder=folder)


def _make_empty(path: str, *, folder: bool) -> None:
    os.makedirs(path if folder else os.path.dirname(path), 0o755, exist_ok=True)
    if not folder and not os.path.exists(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


def mask(path: str) -> None:
    """Hide a file or a folder; nothing happens if it does not exist.

    Raises:
        OSError: If the kernel refuses.
    """
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return
    if is_folder:
        kernel.mount("tmpfs", path, "tmpfs", MS_RDONLY | NO_PROGRAMS, "size=0")
    else:
        kernel.mount("/dev/null", path, None, MS_BIND)


def hosts(spec: RoomSpec) -> str:
    """Text of /etc/hosts, as Docker writes it: the usual names, those asked for, its own."""
    lines = [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        *(f"{address}\t{name}" for name, address in spec.hosts.items()),
        *(f"{interface.address}\t{spec.hostname}" for interface in spec.interfaces),
    ]
    return "".join(f"{line}\n" for line in lines)


def _make_devices(machine: str) -> None:
    kernel.mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64m")
    for name in DEVICES:
        show(f"{machine}/dev/{name}", f"/dev/{name}", read_only=False)
    for name, target in DEVICE_LINKS.items():
        if name != "core" or os.path.exists(f"{machine}{target}"):
            os.symlink(target, f"/dev/{name}")
    for name in ("pts", "shm", "mqueue"):
        make_folder(f"/dev/{name}")


def _mount_sys(machine: str) -> None:
    """Mount /sys of the room's network; without a network of its own it is the machine's."""
    try:
        kernel.mount("sysfs", "/sys", "sysfs", NO_PROGRAMS | MS_RDONLY)
    except PermissionError:
        show(f"{machine}/sys", "/sys", read_only=True)
    for name in MASKED_IN_SYS:
        mask(f"/sys/{name}")
