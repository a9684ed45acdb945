"""What probes reach for: real things outside of every room, made for the time of a receipt.

A process of the supervisor's own namespaces listens on ports, an abstract socket and for datagrams;
it is the foreign process as well. So a refusal is one of something that answers others.
Sources: unix(7), "Abstract sockets"; proc(5); shmget(2); prctl(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import secrets
import select
import signal
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from stackproof.engines.process.world.forking import fork
from stackproof.reaper import kernel

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - as a program of this machine that others may reach
SYSCTLS = ("/proc/sys/vm/swappiness", "/proc/sys/kernel/panic")
CONTROL_GROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified")
_PR_SET_NAME = 15
_IPC_CREAT, _IPC_RMID = 0o1000, 0
_COUNT = struct.Struct("=Q")


@dataclass(frozen=True)
class Targets:
    """What probes reach for.

    Attributes:
        word: What every target answers, and the foreign process has in its memory.
        file: A file of this machine that everybody who gets to it may write.
        keys: The folder of the owner's keys, or the owner's home if there is none; empty where
            there is no home either.
        identity: Device and inode of that folder.
        port: A TCP port that all addresses of this machine answer on.
        published: A TCP port of its loopback, as other stacks publish theirs.
        datagrams: A UDP port of all addresses.
        addresses: Addresses of this machine beside its loopback.
        abstract: Name of an abstract Unix socket.
        pid: The foreign process, as the supervisor sees it.
        name: Its name in /proc.
        place: Where its memory has the word.
        shared_memory: Key of a shared memory segment.
        ticks: Counts how often the foreign process has looked at all that came to it.
        home: The service's own home.
        gateways: Of the service's networks.
        resolver: Where the service asks for names in a private world; empty elsewhere.
        shortfall: What connections to other places are not passed on although they may, in words.
    """

    word: bytes
    file: str
    keys: str
    identity: tuple[int, int]
    port: int
    published: int
    datagrams: int
    addresses: tuple[str, ...]
    abstract: str
    pid: int
    name: str
    place: int
    shared_memory: int
    ticks: mmap.mmap
    home: str = ""
    gateways: tuple[str, ...] = ()
    resolver: str = ""
    shortfall: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """All addresses at which this machine might be reached."""
        return (LOOPBACK, *self.gateways, *self.addresses)

    @property
    def new_name(self) -> str:
        """A name for what a process makes, which no other one makes at the same time."""
        return f"isolation-{self.word.decode()}-{secrets.token_hex(4)}"

    def count(self) -> int:
        """How often the foreign process has looked."""
        return int(_COUNT.unpack_from(self.ticks)[0])


class Decoy:
    """The targets, as long as they are there; whoever makes one ends and reaps its process.

    Args:
        folder: Where its file is made; everything in there is removed with the run.
        home: The owner's home.

    Attributes:
        targets: What probes reach for.
    """

    def __init__(self, folder: str, home: str) -> None:
        word = secrets.token_hex(8)
        self._file = _make_file(f"{folder}/isolation-{word}")
        self._listening = Listening(word)
        self._memory = ctypes.create_string_buffer(word.encode())
        key = secrets.randbelow(1 << 30) + 1
        segment = _make_segment(key)
        ticks = mmap.mmap(-1, mmap.PAGESIZE)
        pid = fork()
        if pid == 0:
            _serve(self._listening, ticks, word, segment)
        keys, identity = _keys_of(home)
        tcp, published, datagrams = self._listening.ports
        self.targets = Targets(
            word=word.encode(), file=self._file, keys=keys, identity=identity, port=tcp,
            published=published, datagrams=datagrams, addresses=tuple(_own_addresses()),
            abstract=self._listening.name, pid=pid, name=f"sp-{word}"[:15],
            place=ctypes.addressof(self._memory), shared_memory=key if segment >= 0 else 0,
            ticks=ticks,
        )  # fmt: skip
        self._segment = segment

    def end(self) -> None:
        """Take all of it away."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.targets.pid, signal.SIGKILL)
        self._listening.close()
        _remove_segment(self._segment)
        with contextlib.suppress(OSError):
            os.unlink(self._file)


class Listening:
    """The sockets of the foreign process.

    Args:
        word: Makes the name of the abstract one.

    Attributes:
        name: Of the abstract one, with its zero byte.
    """

    def __init__(self, word: str) -> None:
        self.name = f"\0stackproof-{word}"
        self._everywhere = _listener((EVERYWHERE, 0))
        self._on_loopback = _listener((LOOPBACK, 0))
        self._abstract = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._abstract.bind(self.name)
        self._abstract.listen()
        self.datagrams = socket.socket(type=socket.SOCK_DGRAM)
        self.datagrams.bind((EVERYWHERE, 0))
        self.noise = socket.socket(type=socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.noise.bind((LOOPBACK, 0))
        self.listeners = (self._everywhere, self._on_loopback, self._abstract)

    @property
    def all(self) -> Sequence[socket.socket]:
        """All of them."""
        return (*self.listeners, self.datagrams, self.noise)

    @property
    def ports(self) -> tuple[int, int, int]:
        """The TCP port of all addresses, that of the loopback, and the UDP port."""
        tcp, published, udp = (
            int(one.getsockname()[1])
            for one in (self._everywhere, self._on_loopback, self.datagrams)
        )
        return tcp, published, udp

    def close(self) -> None:
        """Close them here."""
        for one in self.all:
            one.close()


def _listener(address: tuple[str, int]) -> socket.socket:
    made = socket.socket()
    made.bind(address)
    made.listen()
    return made


def _make_file(path: str) -> str:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
    os.fchmod(handle, 0o666)
    os.close(handle)
    return path


def _make_segment(key: int) -> int:
    """A shared memory segment that everybody may open; -1 where the kernel has none."""
    try:
        return kernel.call("shmget", key, mmap.PAGESIZE, _IPC_CREAT | 0o666)
    except OSError:
        return -1


def _remove_segment(segment: int) -> None:
    if segment >= 0:
        with contextlib.suppress(OSError):  # removed by the foreign process
            kernel.call("shmctl", segment, _IPC_RMID, None)


def _keys_of(home: str) -> tuple[str, tuple[int, int]]:
    for path in (f"{home}/.ssh", home) if home else ():
        with contextlib.suppress(OSError):
            about = os.stat(path)
            return path, (about.st_dev, about.st_ino)
    return "", (0, 0)


def _own_addresses() -> Iterator[str]:
    """The address that this machine has for others; none where it has no way out."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # nothing is sent; RFC 5737
        yield str(probe.getsockname()[0])


def _serve(listening: Listening, ticks: mmap.mmap, word: str, segment: int) -> NoReturn:
    """Be the foreign process, until it is ended or its parent has ended."""
    parent = os.getppid()
    try:
        os.setsid()
        kernel.call("prctl", _PR_SET_NAME, f"sp-{word}"[:15], 0, 0, 0)
        _keep_open(listening.all)
        watched = select.poll()
        by_number = {one.fileno(): one for one in (*listening.listeners, listening.datagrams)}
        for number in by_number:
            watched.register(number, select.POLLIN)
        turn = 0
        while os.getppid() == parent:
            for number, _ in watched.poll(1):
                _answer(by_number[number], word.encode())
            with contextlib.suppress(OSError):
                listening.noise.sendto(word.encode(), listening.noise.getsockname())
            turn += 1
            _COUNT.pack_into(ticks, 0, turn)
        _remove_segment(segment)
    finally:
        os._exit(0)


def _keep_open(kept: Sequence[socket.socket]) -> None:
    """Close all descriptors but some."""
    low = 3
    for number in sorted(one.fileno() for one in kept):
        os.closerange(low, number)
        low = number + 1
    os.closerange(low, 0x7FFFFFFF)


def _answer(asked: socket.socket, word: bytes) -> None:
    with contextlib.suppress(OSError):
        if asked.type == socket.SOCK_DGRAM:
            _, whose = asked.recvfrom(64)
            asked.sendto(word, whose)
            return
        link, _ = asked.accept()
        with link:
            link.sendall(word)
