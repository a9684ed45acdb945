"""A supervisor in small: in a user namespace of its own, and commanded by lines of JSON.

It has no more rights outside than the real one: those of the user that has started it.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from stackproof.engines.process.capture import LogFile
from stackproof.engines.process.children import Children
from stackproof.engines.process.world import network_link
from stackproof.engines.process.world.network_client import Network
from stackproof.engines.process.world.network_link import PROGRAM, NetworkError
from stackproof.readiness.sockets import listeners
from stackproof.reaper import kernel, namespace
from stackproof_redaction import Redactor


class Log(LogFile):
    """Keeps lines in memory."""

    def __init__(self):
        self.redactor = Redactor()
        self.said = []

    def put(self, stream, masked, *, goes_on=False):
        self.said += masked


class World:
    """The supervisor and its rooms."""

    def __init__(self, loop, folder):
        self.folder = folder
        self.children = Children(loop, os.environ["STACKPROOF_RUN"])
        self.log = Log()
        self.events = []
        self.ended = []
        self.network = Network(loop, self.log, self.events.append, self.ended.append)
        self.network.start(self.children)
        self.rooms = {}
        self.started = {}

    async def carry_out(self, do, *values):
        own = getattr(self, f"do_{do}", None)
        if own is not None:
            return await own(*values)
        return await getattr(self.network, do)(*values)

    async def do_room(self, name, *places):
        keys = ("network", "address", "prefix", "gateway", "names")
        interfaces = [SimpleNamespace(**dict(zip(keys, place, strict=True))) for place in places]
        self.rooms[name] = await self.network.room(name, interfaces)

    async def do_open(self, *host_ports):
        """Open the way out, and some ports of this machine, each by its own number or a pair."""
        pairs = [one if isinstance(one, list) else [one, one] for one in host_ports]
        return await self.network.outbound(allowed=True, host_ports=dict(pairs))

    async def do_shut(self):
        return await self.network.outbound(allowed=False)

    async def do_run(self, name, code, *arguments):
        """Run Python code in a room to its end: its status and output."""
        child, out = self._spawn(name, code, arguments)
        status = await child.ended
        out.seek(0)
        return [status, out.read().decode()]

    async def do_start(self, name, code, *arguments):
        """Let Python code run in a room: its number."""
        child, out = self._spawn(name, code, arguments)
        self.started[child.pid] = child, out
        return child.pid

    async def do_end(self, pid):
        child, out = self.started.pop(pid)
        child.send(9)
        await child.ended
        out.seek(0)
        return out.read().decode()

    async def do_output(self, pid):
        """What a process has written so far."""
        size = os.fstat(self.started[pid][1].fileno()).st_size
        return os.pread(self.started[pid][1].fileno(), size, 0).decode()

    async def do_pace(self, one, other, pace):
        await self.network.pace(one, other, **pace)

    async def do_said(self, kind):
        return {"events": self.events, "log": self.log.said, "ended": self.ended}[kind]

    async def do_network_processes(self):
        return network_processes()

    async def do_hub_ports(self):
        """Ports that somebody listens on in the hub, where a thread of the network process is."""
        return hub_ports(network_processes()[0])

    async def do_kill(self, pid):
        os.kill(pid, 9)

    async def do_close(self):
        self.network.close()

    def _spawn(self, name, code, arguments):
        out = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - read when the child has ended
        streams = (out.fileno(), out.fileno(), out.fileno())
        namespace = self.rooms.get(name)
        before = None
        if namespace is not None:
            before = partial(kernel.join, namespace, kernel.CLONE_NEWNET)
        argv = [sys.executable, "-S", "-P", "-u", "-c", code, *map(str, arguments)]
        env = {"LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        child = self.children.spawn(argv, env=env, cwd="/", streams=streams, before=before)
        return child, out


def network_processes():
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if PROGRAM.encode() in path.read_bytes().split(b"\0")
    ]


def hub_ports(pid):
    found = set()
    for table in Path(f"/proc/{pid}/task").glob("*/net/tcp"):
        if int(table.parent.parent.name) != pid:
            found |= {listener.port for listener in listeners(table.read_text())}
    return sorted(found - {53})


async def serve(folder):
    loop = asyncio.get_running_loop()
    world = World(loop, folder)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        request = json.loads(line)
        try:
            answer = {"result": await world.carry_out(*request)}
        except NetworkError as error:
            answer = {"error": "\n".join([str(error), *world.log.said])}
        print(json.dumps(answer), flush=True)
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, 9)
    os._exit(0)


def main():
    kernel.become_subreaper()
    child, _ = namespace.spawn(in_the_world, private=True, world=True)
    os.waitpid(child, 0)


def in_the_world():
    for target, source in json.loads(sys.argv[2]).items():
        kernel.mount(source, target, None, kernel.MS_BIND)
    if sys.argv[3:]:  # a program in place of the network process's own
        program = Path(sys.argv[3])
        network_link.PACKAGES += f":{os.environ['PYTHONPATH']}:{program.parent}"
        network_link.PROGRAM = program.stem
    asyncio.run(serve(sys.argv[1]))


main()
