"""A private world's rooms and network: what a service costs, and how fast services reach others."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from benchmarks import results
from stackproof.engines.process.capture import LogFile
from stackproof.engines.process.children import Children
from stackproof.engines.process.world.network_client import Network
from stackproof.engines.process.world.network_link import PROGRAM
from stackproof.engines.process.world.rooms import Room
from stackproof.engines.process.world.spec import InterfaceSpec, RoomSpec
from stackproof.reaper import kernel, namespace
from stackproof.reaper.port_claims import claim
from stackproof.reaper.sweep import descendants
from stackproof_redaction import Redactor

ROUNDS = 11
PINGS = 2000
MIB = 256
SERVED_AT = 9000
SERVICES = 8
READY = "import time; print(flush=True); time.sleep(60)"

SERVER = """
import socket, sys, threading
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
def answer(link):
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray(1 << 20)
    kind = link.recv(1)
    while size := link.recv_into(buffer):
        if kind == b"p":
            link.sendall(b"x")
    link.sendall(b"x")
while True:
    threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()
"""

CLIENT = """
import json, socket, sys, time
place, pings, size = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
def connect(kind):
    while True:
        try:
            link = socket.create_connection(place, 20)
            break
        except ConnectionRefusedError:  # the server does not listen yet
            time.sleep(0.02)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(kind)
    return link
with connect(b"p") as link:
    for _ in range(100):
        link.sendall(b"x")
        link.recv(1)
    began = time.perf_counter()
    for _ in range(pings):
        link.sendall(b"x")
        link.recv(1)
    ping = (time.perf_counter() - began) / pings * 1e6
data = bytes(1 << 20)
with connect(b"t") as link:
    began = time.perf_counter()
    for _ in range(size):
        link.sendall(data)
    link.shutdown(socket.SHUT_WR)
    link.recv(1)
    passed = (time.perf_counter() - began) * 1024 / size
print(json.dumps([ping, passed]))
"""


def network() -> None:
    """A ping, and the time of a GiB, against loopback and Docker; what a service costs."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.network", str(ROUNDS)],
        stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    found: dict[str, list[list[float]]] = json.loads(done.stdout)
    docker = _in_containers()
    measured = ("ping", "a ping of 1 byte", "us"), ("gib", "1 GiB in one direction", "s")
    ways = {
        "rooms": ("between two services", (1.5, 2.0)),
        "published": ("to a published port", (5.0, 3.0)),
    }
    for way, (words, bounds) in ways.items():
        for number, (name, what, unit) in enumerate(measured):
            results.write(
                f"network-{name}-{way}", f"private world, {what} {words}",
                ours=[one[number] for one in found[way]],
                other=[one[number] for one in found["loopback"]],
                other_is="loopback inside a service", unit=unit, bound=bounds[number],
            )  # fmt: skip
            results.write(
                f"network-{name}-{way}-docker", f"private world, {what} {words}",
                ours=[one[number] for one in found[way]],
                other=[one[number] for one in docker[way]],
                other_is="Docker's bridge", unit=unit, bound=None,
            )  # fmt: skip
    costs = {
        "room": ("a service's room, network and first process", "ms", "a bare process"),
        "room-end": ("the end of a service's room and network", "ms", "a bare process"),
        "network-memory": (f"the network process of {SERVICES} services", "MiB", "an interpreter"),
    }
    for number, (name, (what, unit, other_is)) in enumerate(costs.items()):
        results.write(
            name, f"private world, {what}", ours=[one[number] for one in found["ours"]],
            other=[one[number] for one in found["bare"]], other_is=other_is, unit=unit, bound=None,
        )  # fmt: skip


def _in_containers() -> dict[str, list[list[float]]]:
    """The same on a network of Docker, between containers and to a published port."""
    image, name = os.environ.get("PYTHON_IMAGE", "python:3.11-slim"), f"bench-{os.getpid()}"
    held: list[socket.socket] = []
    (port,) = claim(1, held)
    held[0].close()
    run = partial(subprocess.run, check=True, stdout=subprocess.PIPE, text=True)
    member = ["docker", "run", "--rm", "--init", "--network", name]
    asked = [str(SERVED_AT), str(PINGS), str(MIB)]
    found: dict[str, list[list[float]]] = {"rooms": [], "published": []}
    run(["docker", "network", "create", name])
    try:
        published = ["--detach", "--name", name, "--publish", f"127.0.0.1:{port}:{SERVED_AT}"]
        run([*member, *published, image, "python", "-c", SERVER, str(SERVED_AT)])
        for _ in range(ROUNDS):
            done = run([*member, image, "python", "-c", CLIENT, name, *asked])
            found["rooms"].append(json.loads(done.stdout))
            here = ["127.0.0.1", str(port), *asked[1:]]
            done = run([sys.executable, "-S", "-c", CLIENT, *here])
            found["published"].append(json.loads(done.stdout))
    finally:
        subprocess.run(["docker", "rm", "--force", name], stdout=subprocess.PIPE, check=False)
        run(["docker", "network", "rm", name])
    return found


async def _costs(
    folder: Path, made: Network, children: Children
) -> tuple[list[float], list[float]]:
    """What some services take in a row, each, beside bare processes: start, end, and memory."""
    nothing = os.open(os.devnull, os.O_RDWR)
    streams = (nothing, nothing, nothing)
    began = time.perf_counter()
    rooms = []
    for number in range(SERVICES):
        place = ("net", f"172.18.0.{number + 9}", 24, "172.18.0.1", (f"service{number}",))
        spec = RoomSpec(f"s{number}", f"{folder}/room-{number}", (InterfaceSpec(*place),))
        rooms.append(Room(spec, await made.room(f"s{number}", spec.interfaces)))
        rooms[-1].build()
        environment = {"PATH": "/usr/bin:/bin"}
        child = children.adopt(rooms[-1].spawn(["true"], env=environment, cwd="/", streams=streams))
        await child.ended
    started = time.perf_counter()
    processes = [one for one in descendants(os.getpid()) if _is_network(one.pid)]
    memory = _mebibytes(processes[0].pid)
    measured = time.perf_counter()
    for number, room in enumerate(rooms):
        room.drop()
        await made.leave(f"s{number}")
    ended = time.perf_counter()
    for _ in rooms:
        await children.spawn(["/bin/true"], env={}, cwd="/", streams=streams).ended
    bare = (time.perf_counter() - ended) / SERVICES * 1000
    os.close(nothing)
    interpreter = _interpreter()
    each = 1000 / SERVICES
    return (
        [(started - began) * each, (ended - measured) * each, memory],
        [bare, bare, interpreter],
    )


def _interpreter() -> float:
    """Memory of an interpreter that does nothing."""
    argv = [sys.executable, "-S", "-c", READY]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = _mebibytes(process.pid)
        process.kill()
    return found


def _is_network(pid: int) -> bool:
    return PROGRAM.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()


def _mebibytes(pid: int) -> float:
    """Memory that is a process's own, its share of what others use as well included."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


async def _measured(folder: Path, rounds: int) -> dict[str, list[list[float]]]:
    """Pings and throughputs of all rounds by the way that they go, and what services cost."""
    loop = asyncio.get_running_loop()
    children = Children(loop, "benchmark")
    made = Network(loop, LogFile(folder / "log", Redactor()), lambda _: None)
    made.start(children)
    rooms = {}
    for name, address in (("client", "172.18.0.2"), ("server", "172.18.0.3")):
        interface = SimpleNamespace(
            network="net", address=address, prefix=24, gateway="172.18.0.1", names=(name,)
        )
        rooms[name] = await made.room(name, [interface])
    held: list[object] = []
    (port,) = claim(1, held)
    await made.publish("server", port, "172.18.0.3", SERVED_AT)

    def run(code: str, room: str, *arguments: object) -> tuple[asyncio.Future[int], Path]:
        before = partial(kernel.join, rooms[room], kernel.CLONE_NEWNET) if room else None
        out = folder / "out"
        with out.open("w") as file:
            argv = [sys.executable, "-S", "-c", code, *map(str, arguments)]
            streams = (subprocess.DEVNULL, file.fileno(), 2)
            child = children.spawn(argv, env={}, cwd="/", streams=streams, before=before)
        return child.ended, out

    run(SERVER, "server", SERVED_AT)
    ways = {
        "loopback": ("server", "127.0.0.1", SERVED_AT),
        "rooms": ("client", "172.18.0.3", SERVED_AT),
        "published": ("", "127.0.0.1", port),
    }
    found: dict[str, list[list[float]]] = {way: [] for way in (*ways, "ours", "bare")}
    for _ in range(rounds):
        ours, bare = await _costs(folder, made, children)
        found["ours"].append(ours)
        found["bare"].append(bare)
        for way, (room, host, target) in ways.items():
            ended, out = run(CLIENT, room, host, target, PINGS, MIB)
            assert await ended == 0, way
            found[way].append(json.loads(out.read_text()))
    made.close()
    return found


def main() -> None:
    """Measure in namespaces as a supervisor has them, and write the results as JSON."""
    kernel.become_subreaper()
    child, _ = namespace.spawn(_in_the_world, private=True, world=True)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _in_the_world() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(_measured(Path(folder), int(sys.argv[1])))
        print(json.dumps(found), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
