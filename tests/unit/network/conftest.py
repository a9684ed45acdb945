"""A stack's network, made by root and by an ordinary user, with a few rooms."""

import atexit
import contextlib
import encodings.idna  # noqa: F401 - `connect` looks it up as a user who can't read it
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from tests.other_users import SYSTEM_PYTHON

import stackproof
import stackproof_redaction
from stackproof.reaper.port_claims import claim
from stackproof.waiting import wait_until

PROGRAM = (Path(__file__).parent / "world_program.py").read_text()

ECHO = """
import socket, sys, threading
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listens")
def answer(link, peer):
    with link:
        while data := link.recv(65536):
            link.sendall(sys.argv[3].encode() + b" " + peer[0].encode() + b" " + data)
while True:
    link, peer = listener.accept()
    threading.Thread(target=answer, args=(link, peer), daemon=True).start()
"""

ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as link:
    link.sendall(b"hi")
    print(link.recv(100).decode())
"""


def place(network, address, *names, gateway=None):
    """A service's interface in a network; its gateway is the first address, unless it is said."""
    if gateway is None:
        gateway = address.rsplit(".", 1)[0] + ".1"
    return [network, address, 24, gateway, list(names)]


class World:
    """The other side of `world_program.py`.

    Attributes:
        uid: The user whose world it is.
        files: What it was given, each in a folder of its own.
    """

    def __init__(self, process, uid, files):
        self._process = process
        self.uid = uid
        self.files = files

    def ask(self, *request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["result"]

    def run(self, room, code, *arguments):
        """The output of Python code in a room."""
        status, output = self.ask("run", room, code, *arguments)
        assert status == 0, output
        return output.strip()

    def serve(self, room, port, address="0.0.0.0", text=None):
        """Let a room answer on a port with its name, the client's address and what was said."""
        return self.listener(room, ECHO, address, port, text or room)

    def listener(self, room, code, *arguments):
        """Let Python code run in a room, and wait until it `listens`: its number.

        Over a paced way a client is let in before its server listens, and can't try again.
        """
        pid = self.ask("start", room, code, *arguments)
        self.wait_for(pid, "listens")
        return pid

    def wait_for(self, pid, text):
        """Wait until a process in a room has written something."""
        wait_until(
            lambda: self.ask("output", pid), timeout=30, what=text, until=lambda out: text in out
        )

    def connect(self, port):
        """A connection to a port of this machine, made by the user whose world it is."""
        mine = os.geteuid()
        os.seteuid(self.uid)
        try:
            link = socket.create_connection(("127.0.0.1", port), 20)
        finally:
            os.seteuid(mine)
        link.settimeout(20)
        return link

    def said(self, port):
        """What a service answers through a published port."""
        with self.connect(port) as link:
            link.sendall(b"hi")
            return link.recv(100).decode()

    def is_open(self, port):
        try:
            self.connect(port).close()
        except ConnectionRefusedError:
            return False
        except ConnectionResetError:  # it was accepted
            return True
        return True

    def wait_open(self, port, *, opened=True):
        wait_until(
            lambda: self.is_open(port), timeout=20, what="the port",
            until=lambda found: found == opened,
        )  # fmt: skip

    def events(self, count=1):
        """What the network process has told, as soon as it is so much."""
        return wait_until(
            lambda: self.ask("said", "events"), timeout=20, what="events",
            until=lambda found: len(found) >= count,
        )  # fmt: skip

    def close(self):
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()
        for file in self.files:
            shutil.rmtree(Path(file).parent)


def start_world(identity, folder, request, files=None, program=""):
    """A network of root's or of an ordinary user's.

    Args:
        identity: `root` or `user`.
        folder: For what root's programs write.
        request: Pytest's, for the user.
        files: Text of files of this machine, as the network process sees them.
        program: A network process in place of the real one.
    """
    mounts = {target: readable(target, text) for target, text in (files or {}).items()}
    given = [json.dumps(mounts)]
    made = [*mounts.values()]
    if program:
        made.append(readable("changed_network.py", program))
        given.append(made[-1])
    marked = {"STACKPROOF_RUN": f"network-{secrets.token_hex(4)}"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    if identity == "user" and os.getuid() == 0:
        user = request.getfixturevalue("other_user")
        environment = {"PYTHONPATH": user.import_path(), "PYTHONDONTWRITEBYTECODE": "1", **marked}
        argv = [SYSTEM_PYTHON, "-c", PROGRAM, str(user.home), *given]
        return World(user.popen(argv, environment=environment, **pipes), user.uid, made)
    if identity == "root" and os.getuid() != 0:
        pytest.skip("only root can show what root's world is like")
    packages = [Path(one.__file__).parents[1] for one in (stackproof, stackproof_redaction)]
    environment = {"PYTHONPATH": ":".join(map(str, packages)), "PATH": os.environ["PATH"], **marked}
    argv = [sys.executable, "-c", PROGRAM, str(folder), *given]
    process = subprocess.Popen(argv, env=environment, text=True, **pipes)
    return World(process, os.getuid(), made)


def readable(target, text):
    """A file with a text that every user can read."""
    place = Path(tempfile.mkdtemp(prefix="stackproof-network-")) / Path(target).name
    atexit.register(shutil.rmtree, place.parent, ignore_errors=True)
    place.parent.chmod(0o755)
    place.write_text(text)
    place.chmod(0o644)
    return str(place)


@pytest.fixture(scope="module", params=["root", "user"])
def world(request, tmp_path_factory):
    """A network with the rooms `web` (networks front and back), `db` (back), `other` (front)."""
    made = start_world(request.param, tmp_path_factory.mktemp("world"), request)
    try:
        made.ask(
            "room", "web", place("front", "172.18.0.2", "web", "www"),
            place("back", "172.19.0.2", "web"),
        )  # fmt: skip
        made.ask("room", "db", place("back", "172.19.0.3", "db", "Database"))
        made.ask("room", "other", place("front", "172.18.0.3", "other", "www"))
        made.ask("room", "inner", place("internal", "172.20.0.2", "inner", gateway=""))
        yield made
    finally:
        made.close()


@pytest.fixture
def ports():
    """Gives free ports of this machine that nobody else takes meanwhile."""
    held = []
    yield lambda: claim(1, held)[0]
    for one in held:
        one.close()


def with_rooms(made):
    made.ask("room", "web", place("front", "172.18.0.2", "web"))
    made.ask("room", "inner", place("internal", "172.20.0.2", "inner", gateway=""))
    return made


def destinations(world, **wanted):
    """What is told of destinations that have some values, as soon as there is one."""

    def told():
        return [one for one in world.ask("said", "events") if wanted.items() <= one.items()]

    return wait_until(told, timeout=20, what=f"a destination with {wanted}")


@pytest.fixture(scope="module")
def elsewhere():
    """An address of this machine that is not its loopback's, with a server."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but that of its loopback")
        address = probe.getsockname()[0]
    with socket.create_server((address, 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    with link:
                        link.sendall(b"outside " + link.recv(100))

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)
