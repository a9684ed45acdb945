"""Rooms: the namespaces of one service, kept as long as it is part of the stack.

A room keeps a mount and a UTS namespace, beside the network that it is given. Each start of the
service makes a PID, an IPC and a cgroup namespace, and a copy of the mounts for a /proc of its own;
so files stay, and processes do not. A command joins those of the running service.
Sources: namespaces(7), mount_namespaces(7), setns(2).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from stackproof.engines.process.world import building, failures, files, identity, renewal
from stackproof.engines.process.world.failures import step
from stackproof.engines.process.world.forking import fork, fork_into, opened
from stackproof.engines.process.world.mounts import outer_first
from stackproof.engines.process.world.program import Program, become, keep_streams
from stackproof.engines.process.world.spec import RoomSpec
from stackproof.reaper import kernel
from stackproof.reaper.removal import remove_tree

_OF_A_PROCESS = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWCGROUP
)


class Room:
    """One service's room; the caller is single-threaded and has its user namespace's rights.

    Args:
        spec: What the service sees.
        network: Handle of its network namespace, which stays the caller's; -1 for this process's.
    """

    def __init__(self, spec: RoomSpec, network: int = -1) -> None:
        self.spec = spec
        self._network = network
        self._mounts = outer_first(spec.mounts)
        self._kept: dict[str, int] = {}
        self._one_id = identity.has_one_id()

    @classmethod
    def of_handles(cls, spec: RoomSpec, handles: Sequence[int]) -> Room:
        """A room that another process has built, by what `handles` gives there.

        Args:
            spec: What the service sees.
            handles: Those of the room.
        """
        mounts, names, *network = handles
        room = cls(spec, *network)
        room._kept = {"mnt": mounts, "uts": names}
        return room

    @property
    def handles(self) -> tuple[int, ...]:
        """Its namespaces, for a process that has joined this one's user namespace."""
        network = () if self._network < 0 else (self._network,)
        return (self._kept["mnt"], self._kept["uts"], *network)

    def build(self) -> None:
        """Make the namespaces and all files; a few milliseconds.

        Raises:
            RoomError: Naming the step that failed; nothing is left mounted then.
        """
        files.of_the_machine()  # here, so that each builder knows it
        told, saying = os.pipe()
        waiting, release = os.pipe()
        builder = fork()
        if builder == 0:
            os.close(release)
            self._in_the_builder(saying, waiting)
        os.close(saying)
        os.close(waiting)
        try:
            failures.hear(told, otherwise="make a room")
            for name in ("mnt", "uts"):
                flags = os.O_RDONLY | os.O_CLOEXEC
                self._kept[name] = os.open(f"/proc/{builder}/ns/{name}", flags)
        finally:
            os.close(release)
            os.waitpid(builder, 0)

    def _in_the_builder(self, saying: int, waiting: int) -> NoReturn:
        try:
            building.make(self.spec, self._network, self._mounts, one_id=self._one_id)
            os.close(saying)
            os.read(waiting, 1)  # until the parent keeps the namespaces
        except BaseException as error:  # noqa: BLE001 - told to the parent
            failures.tell(saying, error)
        finally:
            os._exit(0)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        streams: tuple[int, int, int],
        before: Callable[[], None] | None = None,
        inside: int = 0,
        uid: int | None = None,
    ) -> int:
        """Start a program in the room, in a session of its own, with Docker's rights and no more.

        Args:
            argv: Program and arguments.
            env: Its whole environment.
            cwd: Folder of the room to start in.
            streams: File descriptors of its input, output and error output.
            before: Called first in the new process, which is still outside then.
            inside: A live process of the room that it joins; 0: it is PID 1 of a new PID namespace.
            uid: Numeric user and group; None for the spec's.

        Returns:
            Its number, as this process sees it; it is a direct child.

        Raises:
            OSError: As `subprocess` raises it.
            RoomError: If a step before failed.
        """
        program = self.program(argv, env, cwd, streams, uid)
        return self.start_by(lambda saying: self.fork(program, saying, inside, before))

    def call(
        self, work: Callable[[], None], *, streams: tuple[int, int, int], inside: int = 0
    ) -> int:
        """Call a function in the room as its user, in a new process with the rights of a service.

        It is not waited for: several can be on their way into their rooms at once.

        Args:
            work: Called with nothing open but the three streams; the process ends with it.
            streams: As for `spawn`; what keeps it from being called is told to the error output,
                see `failures.error_of`.
            inside: As for `spawn`.

        Returns:
            As `spawn` does.

        Raises:
            OSError: If there can't be another process.
        """
        program = replace(self.program((), {}, "/", streams, None), work=work)
        return self.fork(program, streams[2], inside)

    def program(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        streams: tuple[int, int, int],
        uid: int | None,
    ) -> Program:
        """A program with the user, limits and rights of the room; see `spawn`."""
        user = self.spec.uid or 0 if uid is None else uid
        group = identity.group_of(self.spec) if uid is None else uid
        limits, rights = self.spec.limits, self.spec.capabilities
        return Program(argv, env, cwd, streams, user, group, self._one_id, limits, rights)

    def start_by(self, fork: Callable[[int], int]) -> int:
        """Start a program, and wait until it has begun.

        Args:
            fork: Makes the process, which becomes a child of this one; gives its number. It gets
                the pipe that what fails is told to, which is closed when the program begins.

        Raises:
            OSError: As `spawn` does.
        """
        told, saying = os.pipe()
        try:
            child = fork(saying)
        except OSError:
            os.close(told)
            raise
        finally:
            os.close(saying)
        try:
            failures.hear(told, otherwise="start a program")
        except OSError:
            os.waitpid(child, 0)
            raise
        return child

    def fork(
        self,
        program: Program,
        saying: int,
        inside: int = 0,
        before: Callable[[], None] | None = None,
    ) -> int:
        """Fork a process into the room, which becomes a program there; gives its number.

        Args:
            program: What it becomes.
            saying: Pipe that what fails is told to.
            inside: As for `spawn`.
            before: The same.

        Raises:
            OSError: If there can't be another process.
        """
        with opened(inside) as running:
            child = fork_into(running)
            if child == 0:
                self._in_the_child(program, saying, running, before)
        return child

    def _in_the_child(
        self, program: Program, saying: int, running: int, before: Callable[[], None] | None
    ) -> NoReturn:
        try:
            if before is not None:
                before()
            if running < 0:
                self._enter_anew()
            else:
                with step("join the running service"):
                    network = kernel.CLONE_NEWNET if self._network >= 0 else 0
                    kernel.join(running, _OF_A_PROCESS | network)
            (saying,) = keep_streams(program.streams, saying)
            become(program, saying)
        except BaseException as error:  # noqa: BLE001 - told to the parent
            failures.tell(saying, error)
        finally:
            os._exit(127)

    def _enter_anew(self) -> None:
        with step("join the room"):
            if self._network >= 0:
                kernel.join(self._network, kernel.CLONE_NEWNET)
            kernel.join(self._kept["uts"], kernel.CLONE_NEWUTS)
            kernel.join(self._kept["mnt"], kernel.CLONE_NEWNS)
            kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWCGROUP)
        for name, value in self.spec.settings.items():
            place = f"/proc/sys/{name.replace('.', '/')}"
            with step(f"set {name} to {value}"), open(place, "w") as file:
                file.write(value)
        renewal.renew(self.spec, self._mounts)

    def drop(self) -> None:
        """Let go of the namespaces, and remove the files; the processes must have ended."""
        for handle in self._kept.values():
            os.close(handle)
        self._kept.clear()
        remove_tree(self.spec.root)
        for mount in self._mounts:
            if mount.upper:
                remove_tree(mount.upper)
