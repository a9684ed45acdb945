"""A guarded port behaves like the server's own, for those that it lets in."""

import contextlib
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stackproof.engines.process.guard.sockets import bound
from stackproof.waiting import wait_until

BIG = os.urandom(1 << 20) * 24
"""More than all buffers between two ends hold."""


class Rig:
    """A fake server at a Unix socket and the guard of its port."""

    def __init__(self, folder):
        self.place = folder / "server.sock"
        self.opened = []
        self.log = (folder / "log").open("w+b")
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.address = chosen.getsockname()
        with bound(self.address) as port:  # a port of the kernel's choice is lost at shutdown(2)
            program = [sys.executable, "-m", "stackproof.engines.process.guard", "server.sock"]
            self.guard = subprocess.Popen(program, stdin=port.fileno(), cwd=folder, stderr=self.log)

    def listen(self, backlog=64):
        self.place.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.opened.append(self.listener)
        self.listener.bind(str(self.place))
        self.listener.listen(backlog)

    def accept(self):
        """The next connection that is no look whether the server is there."""
        while True:
            link, _ = self.listener.accept()
            link.settimeout(20)
            self.opened.append(link)
            if link.recv(1, socket.MSG_PEEK):
                return link

    def serve(self, answer):
        """Let each connection be answered in a thread of its own."""

        def loop():
            with contextlib.suppress(OSError):
                while True:
                    link, _ = self.listener.accept()
                    threading.Thread(target=answered, args=(link,), daemon=True).start()

        def answered(link):
            with link, contextlib.suppress(OSError):
                answer(link)

        threading.Thread(target=loop, daemon=True).start()

    def connect(self):
        link = socket.create_connection(self.address, 20)
        link.settimeout(20)
        return link

    def is_open(self):
        try:
            self.connect().close()
        except (ConnectionRefusedError, ConnectionResetError):
            return False
        return True

    def wait_open(self, *, is_open=True):
        wait_until(self.is_open, timeout=20, what="the port", until=lambda one: one == is_open)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()

    def close(self):
        self.guard.kill()
        self.guard.wait()
        self.log.close()
        for link in self.opened:
            link.close()


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path)
    yield made
    made.close()


def echo(link):
    while data := link.recv(65536):
        link.sendall(data)


def read_all(link):
    return b"".join(iter(lambda: link.recv(1 << 16), b""))


def test_the_port_refuses_until_the_server_listens(rig):
    assert not rig.is_open()
    rig.listen()
    rig.wait_open()


def test_what_is_said_reaches_the_other_side(rig):
    rig.listen()
    rig.serve(echo)
    rig.wait_open()
    with rig.connect() as link:
        for text in (b"one", b"two"):
            link.sendall(text)
            assert link.recv(100) == text


def test_a_direction_that_is_closed_leaves_the_other_one_open(rig):
    rig.listen()
    rig.serve(lambda link: link.sendall(b"got " + read_all(link)))
    rig.wait_open()
    with rig.connect() as link:
        link.sendall(b"all")
        link.shutdown(socket.SHUT_WR)
        assert read_all(link) == b"got all"


def test_many_bytes_arrive_whole_in_both_directions_however_slowly_they_are_read(rig):
    rig.listen()
    rig.serve(echo)
    rig.wait_open()
    with rig.connect() as link:
        sender = threading.Thread(target=link.sendall, args=(BIG,), daemon=True)
        sender.start()
        found, size = hashlib.sha256(), 0
        while size < len(BIG):
            data = link.recv(9973)
            assert data
            found.update(data)
            size += len(data)
        sender.join()
    assert found.digest() == hashlib.sha256(BIG).digest()


def test_a_client_that_reads_nothing_holds_up_its_server_and_costs_no_memory(rig):
    rig.listen()
    rig.wait_open()
    with rig.connect() as link:
        link.sendall(b"x")
        server = rig.accept()
        server.settimeout(1)
        with pytest.raises(TimeoutError):
            server.sendall(BIG)
        assert rig.connect().close() is None  # others are served
        used = int(Path(f"/proc/{rig.guard.pid}/statm").read_text().split()[1]) * 4096
        assert used < 40 << 20
        server.close()


def test_hundreds_of_connections_are_served_at_once(rig):
    rig.listen(1)
    rig.serve(echo)
    rig.wait_open()
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(rig.connect()) for _ in range(300)]
        for number, link in enumerate(links):
            link.sendall(b"%d" % number)
        assert [link.recv(10) for link in links] == [b"%d" % number for number in range(300)]


def test_a_server_that_has_gone_is_refused_and_comes_back(rig):
    rig.listen()
    rig.wait_open()
    rig.listener.close()
    rig.wait_open(is_open=False)
    rig.listen()
    rig.wait_open()


def test_a_guard_whose_port_was_taken_meanwhile_ends(rig):
    rig.listen()
    rig.wait_open()
    rig.listener.close()
    rig.wait_open(is_open=False)
    with socket.create_server(rig.address):
        rig.listen()
        assert rig.guard.wait(20) == 1
    assert "in use" in rig.said()


def test_what_a_server_says_last_arrives_although_the_client_goes_on(rig):
    rig.listen()
    rig.wait_open()
    with rig.connect() as link:
        link.sendall(b"x")
        server = rig.accept()
        server.recv(1)
        server.sendall(b"FATAL: too many")
        server.close()
        with contextlib.suppress(OSError):
            link.sendall(b"more")
        assert read_all(link) == b"FATAL: too many"


def test_a_connection_that_the_client_resets_ends_for_the_server(rig):
    rig.listen()
    rig.wait_open()
    link = rig.connect()
    link.sendall(b"x")
    server = rig.accept()
    server.recv(1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()
    assert server.recv(1) == b""


def test_a_guard_that_is_killed_looks_like_a_server_that_is_killed(rig):
    rig.listen()
    rig.wait_open()
    with rig.connect() as link:
        link.sendall(b"x")
        rig.accept()
        rig.guard.kill()
        rig.guard.wait()
        with contextlib.suppress(ConnectionResetError):
            assert link.recv(1) == b""
    assert not rig.is_open()


def test_a_guard_that_is_paused_answers_nobody_and_goes_on(rig):
    rig.listen()
    rig.serve(echo)
    rig.wait_open()
    rig.guard.send_signal(signal.SIGSTOP)
    with rig.connect() as link:
        link.sendall(b"x")
        link.settimeout(0.2)
        with pytest.raises(TimeoutError):
            link.recv(1)
        rig.guard.send_signal(signal.SIGCONT)
        link.settimeout(20)
        assert link.recv(1) == b"x"


def test_a_guard_without_work_needs_no_time(rig):
    rig.listen()
    rig.serve(echo)
    rig.wait_open()

    def slept():
        text = Path(f"/proc/{rig.guard.pid}/status").read_text()
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)[1])

    with rig.connect() as link:
        link.sendall(b"x")
        link.recv(1)
        link.shutdown(socket.SHUT_WR)
        read_all(link)
    with rig.connect():
        before = wait_until(slept, timeout=20, what="its rest", steady_for=0.3)
        assert slept() == before


CONNECTS = """
import socket, sys
link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
try:
    link.sendall(b"SHUTDOWN")
    print(link.recv(100))
except ConnectionResetError:
    print("reset")
"""

CONNECTS_AND_GOES = """
import socket, sys
for _ in range(50):
    link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    link.sendall(b"SHUTDOWN")
    link.close()
print("done")
"""


def test_another_user_is_cut_off_before_the_server_hears_of_it(rig, other_user):
    heard = []
    rig.listen()
    rig.serve(lambda link: heard.append(link.recv(100)))
    rig.wait_open()
    for _ in range(3):
        done = other_user.run(["/usr/bin/python3", "-c", CONNECTS, str(rig.address[1])])
        assert done.stdout == "reset\n", done.stderr
    assert rig.said() == f"stackproof: refused a connection of user {other_user.uid}\n"
    assert set(heard) <= {b""}


def test_what_another_user_sends_and_leaves_behind_is_never_read(rig, other_user):
    """The kernel calls a connection that its process has closed root's."""
    heard = []
    rig.listen()
    rig.serve(lambda link: heard.append(link.recv(100)))
    rig.wait_open()
    rig.guard.send_signal(signal.SIGSTOP)
    done = other_user.run(["/usr/bin/python3", "-c", CONNECTS_AND_GOES, str(rig.address[1])])
    assert done.stdout == "done\n", done.stderr
    rig.guard.send_signal(signal.SIGCONT)
    wait_until(rig.said, timeout=20, what="a line", until=lambda text: "closed it" in text)
    assert set(heard) <= {b""}
