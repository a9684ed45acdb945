"""Does one step of a build in a room, and keeps what it has written: a layer of an image.

A program of its own, which reads an order in JSON from its input: environments hold secrets. Its
output is that of the step; its status too.
Source: Dockerfile reference, RUN, COPY, WORKDIR.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any, NoReturn

from stackproof.engines.process.builds import copying
from stackproof.engines.process.world import files
from stackproof.engines.process.world.failures import RoomError, step
from stackproof.engines.process.world.image_layers import PARTS, leave_out_empty, part_of
from stackproof.engines.process.world.rooms import Room
from stackproof.engines.process.world.spec import RoomSpec
from stackproof.reaper import kernel, namespace
from stackproof.reaper.removal import remove_tree

FAILED = 125
"""Status where a step could not begin."""

NOT_OF_IMAGE = ("etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "run/stackproof")


def main() -> None:
    """Do what the order on the input says."""
    order = json.load(sys.stdin)
    try:
        kernel.become_subreaper()
        child, _ = namespace.spawn(lambda: _in_the_world(order), private=True, world=True)
    except OSError as error:
        _fail(str(error))
    while True:  # orphans of the step end with its namespace
        pid, status = os.wait()
        if pid == child:
            os._exit(_status(status))


def _in_the_world(order: dict[str, Any]) -> NoReturn:
    try:
        room = Room(RoomSpec.from_json(order["room"]))
        room.build()
        status = _copy(room, order["copy"]) if "copy" in order else _run(room, order["run"])
        if not status:
            with step("keep what was written"):
                _keep(room.spec, order["layer"], order["made"])
        room.drop()
        os._exit(status)
    except RoomError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or order['what']}: {error.strerror}")
    finally:
        os._exit(FAILED)


def _fail(what: str) -> NoReturn:
    os.write(2, f"stackproof: {what}\n".encode())
    os._exit(FAILED)


def _status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _run(room: Room, order: dict[str, Any]) -> int:
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    files_of = (nothing, 1, 2)
    child = room.spawn(order["argv"], env=order["env"], cwd=order["cwd"], streams=files_of)
    return _ended(child)


def _copy(room: Room, order: dict[str, Any]) -> int:
    """Copy through a pipe, from a folder of this machine or from the room of another stage."""
    wanted = copying.Wanted(**order)
    if wanted.room is None:
        return _through_pipe(room, wanted, None)
    other = Room(RoomSpec.from_json(wanted.room))
    other.build()
    try:
        return _through_pipe(room, wanted, other)
    finally:
        other.drop()


def _through_pipe(room: Room, wanted: copying.Wanted, other: Room | None) -> int:
    reading, writing = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    if other is not None:
        sender = other.call(lambda: copying.send(wanted), streams=(nothing, writing, 2))
    else:
        sender = os.fork()
        if not sender:
            _send(wanted, writing)
    os.close(writing)
    receiver = room.call(lambda: copying.receive(wanted), streams=(reading, 1, 2))
    os.close(reading)
    return _ended(sender, receiver)


def _send(wanted: copying.Wanted, writing: int) -> NoReturn:
    status = 1
    try:
        os.dup2(writing, 1)
        os.close(writing)
        copying.send(wanted)
        status = 0
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}")
    except Exception as error:  # noqa: BLE001 - told, since nobody else would
        _fail(f"what is copied can't be read: {error!r}")
    finally:
        os._exit(status)


def _ended(*children: int) -> int:
    """The first status of children that is not 0; others end here as well, since this is PID 1."""
    found: dict[int, int] = {}
    while not found.keys() >= set(children):
        pid, status = os.wait()
        found[pid] = _status(status)
    return next((found[child] for child in children if found[child]), 0)


def _keep(spec: RoomSpec, layer: str, made: list[str]) -> None:
    """Move what was written to the layer's folder, without places that were made for mounts."""
    written = f"{spec.root}/files"
    for name in NOT_OF_IMAGE:
        remove_tree(f"{written}/{name}")
    for path in made:
        with contextlib.suppress(OSError):
            _remove_empty(written + path)
    files.make_folder(layer)
    os.rename(written, f"{layer}/files")
    leave_out_empty(f"{spec.root}/{part_of('usr')}/files")
    for part in os.listdir(f"{spec.root}/{PARTS}"):
        if os.listdir(f"{spec.root}/{PARTS}/{part}/files"):
            files.make_folder(f"{layer}/{PARTS}")
            os.rename(f"{spec.root}/{PARTS}/{part}/files", f"{layer}/{PARTS}/{part}")


def _remove_empty(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    elif os.stat(path).st_size == 0:
        os.unlink(path)


if __name__ == "__main__":
    main()
