"""Isolation receipts of a room, with one layer of it after the other left out; see `supervised`."""

import dataclasses
import json
import os

from supervised import kernel, make_room, new_network  # taken away where it is run as a text

from stackproof.engines.process.receipt.attempts import outcome_of
from stackproof.engines.process.receipt.files import outside
from stackproof.engines.process.receipt.probes import run_all
from stackproof.engines.process.receipt.targets import Decoy
from stackproof.engines.process.world import files, renewal, rights


def leave_out(flag):
    """Neither join nor make namespaces of one kind."""
    join, unshare = kernel.join, kernel.unshare
    kernel.join = lambda handle, flags: join(handle, flags & ~flag) if flags & ~flag else None
    kernel.unshare = lambda flags: unshare(flags & ~flag) if flags & ~flag else None


def replaced(holder, name):
    setattr(holder, name, lambda *_, **__: None)


def show_writable(source, target, *, read_only, show=files.show):
    show(source, target, read_only=read_only and not target.startswith("/usr"))


LAYERS = {
    "nothing": lambda: None,
    "mounts": lambda: (leave_out(kernel.CLONE_NEWNS), replaced(renewal, "renew")),
    "processes": lambda: leave_out(kernel.CLONE_NEWPID),
    "network": lambda: leave_out(kernel.CLONE_NEWNET),
    "ipc": lambda: leave_out(kernel.CLONE_NEWIPC),
    "capabilities": lambda: replaced(rights, "limit_capabilities"),
    "no_new_privileges": lambda: (
        replaced(kernel, "forbid_new_privileges"), replaced(rights, "succeed_without_effect")
    ),
    "read_only_proc": lambda: replaced(renewal, "_freeze"),
    "read_only_usr": lambda: setattr(files, "show", show_writable),
    "users": lambda: None,  # there is none, since the program has not been started in one
}  # fmt: skip


def receipt(folder, layers):
    """What each probe finds in a process of a room that lacks some layers."""
    os.makedirs(f"{folder}/owner/.ssh")
    open(f"{folder}/owner/.ssh/id", "w").close()
    if layers == ("read_only_usr",):  # which a room has from its making on
        LAYERS["read_only_usr"]()
    room = make_room(folder, network=new_network())
    for layer in layers:
        LAYERS[layer]()
    return taken(folder, lambda work, streams: room.call(work, streams=streams))


def taken(folder, call, work=run_all):
    decoy = Decoy(folder, f"{folder}/owner")
    targets = dataclasses.replace(decoy.targets, home="/root")
    reading, writing = os.pipe()
    nothing = os.open("/dev/null", os.O_RDWR)
    child = call(lambda: work(targets), (nothing, writing, 2))
    os.close(writing)
    with os.fdopen(reading) as lines:
        found = [json.loads(line) for line in lines]
    os.waitpid(child, 0)
    decoy.end()
    os.waitpid(decoy.targets.pid, 0)
    found = {one.pop("probe"): one for one in found}
    left = [name for name in os.listdir(folder) if name.startswith("isolation-")]
    return {"found": found, "left": left}


def in_a_copy(function, *arguments):
    """What a function gives in a copy of this process, which keeps what is replaced in it."""
    reading, writing = os.pipe()
    copy = os.fork()
    if copy == 0:
        os.write(writing, json.dumps(function(*arguments)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        found = json.load(answer)
    os.waitpid(copy, 0)
    return found


def each_without(folder, *sets):
    found = {}
    for layers in sets:
        name = " and ".join(layers)
        os.mkdir(f"{folder}/{name}")
        found[name] = in_a_copy(receipt, f"{folder}/{name}", layers)
    return found


def receipts(folder):
    alone = ((one,) for one in LAYERS if one != "users")
    found = each_without(folder, *alone, ("processes", "capabilities"))
    return {**found, "all but a chroot": in_a_copy(only_chroot, folder)}


def without_users(folder):
    return each_without(folder, ("users",), ("users", "network"))


def only_chroot(folder):
    """What a process that a chroot alone keeps in can write."""
    os.makedirs(f"{folder}/jail/usr")

    def call(work, streams):
        child = os.fork()
        if child == 0:
            os.chroot(f"{folder}/jail")
            os.chdir("/")
            os.dup2(streams[1], 1)
            work()
            os._exit(0)
        return child

    def work(targets):
        outcomes = [outcome_of(attempt)._asdict() for attempt in outside(targets)]
        os.write(1, json.dumps({"probe": "outside", "attempts": outcomes}).encode() + b"\n")

    return taken(folder, call, work)
