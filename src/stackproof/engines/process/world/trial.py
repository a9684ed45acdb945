"""Makes a small private world and takes it down again, in a process of its own: is it allowed?

Each step is the real one: the namespaces of a supervisor, a bridge with a link, a room with an
overlay whose written files lie on disk, and a program in it as root and as another user. Answers in
JSON: nothing where all works, else the step and what was observed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
from typing import NoReturn

from stackproof.engines.process.world.failures import TRY_IT, RoomError, hear, step, tell
from stackproof.engines.process.world.network.inside import enter, new_namespace
from stackproof.engines.process.world.network.netlink import Netlink, Veth, mac_of
from stackproof.engines.process.world.rooms import Room
from stackproof.engines.process.world.spec import MountSpec, RoomSpec
from stackproof.reaper import kernel, namespace, sweep
from stackproof.reaper.removal import remove_tree

ANOTHER_USER = 1

GONE_SECONDS = 5.0
"""What the processes of a trial that has failed get to end."""


class TooLongError(Exception):
    """The time is up; no OSError, since some of those are expected on the way."""


def main() -> None:
    """Try in the folder of the command line, for at most the seconds that follow it."""
    place, seconds = sys.argv[1:]
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    try:
        _try_in(place)
        answer = {}
    except RoomError as error:
        answer = {"step": error.step, "words": error.words}
    except TooLongError as error:
        answer = {"step": TRY_IT, "words": str(error)}
    os.write(1, json.dumps(answer).encode())


def _too_long(_number: int, _frame: object) -> NoReturn:
    raise TooLongError("it did not come to its end in time")


def _try_in(place: str) -> None:
    with step(TRY_IT):
        folder = tempfile.mkdtemp(prefix="stackproof-trial-", dir=place)
    try:
        _try(folder)
    finally:
        sweep.kill_descendants(os.getpid(), seconds=GONE_SECONDS)  # one that hangs, at any step
        remove_tree(folder)


def _try(folder: str) -> None:
    reading, writing = os.pipe()
    with step("make namespaces of users, processes and mounts"):
        kernel.become_subreaper()
        child, _ = namespace.spawn(lambda: _in_the_world(folder, writing), private=True, world=True)
    os.close(writing)
    hear(reading, otherwise="make a private world")
    os.waitpid(child, 0)


def _in_the_world(folder: str, saying: int) -> NoReturn:
    try:
        with step("make a bridge with a link between two networks"):
            network = _make_network()
        code = f"{folder}/code"
        os.mkdir(code)
        mounts = (
            MountSpec("/app", code, "overlay", upper=f"{folder}/written"),
            MountSpec("/cache", kind="tmpfs"),
        )
        room = Room(RoomSpec("trial", f"{folder}/root", mounts=mounts), network)
        room.build()
        _run(room, None)
        _run(room, ANOTHER_USER)
        room.drop()
    except BaseException as error:  # noqa: BLE001 - told to the parent
        tell(saying, error)
    finally:
        os._exit(0)


def _make_network() -> int:
    hub = new_namespace()
    links = Netlink()
    links.add_bridge("trial")
    bridge = socket.if_nametoindex("trial")
    network = new_namespace()
    enter(hub)
    links.add_veth(Veth("link", bridge, "eth0", network, mac_of("172.18.0.2")))
    return network


def _run(room: Room, uid: int | None) -> None:
    with step("run a program"):
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        streams = (nothing, nothing, nothing)
        child = room.spawn(["/bin/true"], env={}, cwd="/app", streams=streams, uid=uid)
        os.close(nothing)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            raise OSError(f"it ended with status {status}")
