"""The guard knows whose a connection is, in every way that the kernel tells it."""

import contextlib
import os
import socket
import subprocess
import sys

import pytest

from stackproof.engines.process.guard import peers

WAYS = [peers._ask_kernel, peers._look_up]


@contextlib.contextmanager
def connection(family=socket.AF_INET, host="127.0.0.1"):
    """A client's socket, both addresses, and the server's socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(family) as client:
        server = listener.getsockname()
        client.connect((host, server[1]))
        accepted, address = listener.accept()
        with accepted:
            yield client, address, server


@pytest.mark.parametrize("ask", WAYS)
def test_the_owner_of_an_open_connection_is_known(ask):
    with connection() as (client, address, server):
        assert ask(address, server) == (os.getuid(), os.fstat(client.fileno()).st_ino)


@pytest.mark.parametrize("ask", WAYS)
def test_a_socket_of_ipv6_that_uses_ipv4_is_found(ask):
    with connection(socket.AF_INET6, "::ffff:127.0.0.1") as (client, address, server):
        assert ask(address, server) == (os.getuid(), os.fstat(client.fileno()).st_ino)


@pytest.mark.parametrize("ask", WAYS)
def test_a_connection_that_its_client_has_closed_is_nobodys(ask):
    with connection() as (client, address, server):
        client.sendall(b"x")
        client.close()
        assert ask(address, server) is None


@pytest.mark.parametrize("ask", WAYS)
def test_a_listening_socket_is_not_taken_for_the_other_end(ask):
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        assert ask(one.getsockname(), two.getsockname()) is None


@pytest.mark.parametrize("ask", WAYS)
def test_a_connection_that_never_was_is_nobodys(ask):
    assert ask(("127.0.0.1", 1), ("127.0.0.1", 2)) is None


def test_where_the_kernel_can_not_be_asked_its_table_is_read(monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(peers, "_ask_kernel", refused)
    with connection() as (_, address, server):
        assert peers.owner_of(address, server).uid == os.getuid()


def admission(monkeypatch, owner, *, mine=1000, others=(), server=None):
    monkeypatch.setattr(peers, "owner_of", lambda *_: owner)
    monkeypatch.setattr(peers.os, "getuid", lambda: mine)
    monkeypatch.setattr(peers, "_shown_for_others", lambda: set(others))
    return peers.Admission("STACKPROOF_RUN=x", server).refuses(("", 1), ("", 2))


@pytest.mark.parametrize("uid", [0, 1000])
def test_this_user_and_root_are_let_in(monkeypatch, uid):
    assert admission(monkeypatch, peers.Owner(uid, 7)) == ""


def test_everybody_else_is_refused(monkeypatch):
    assert admission(monkeypatch, peers.Owner(1001, 7)) == "user 1001"
    assert admission(monkeypatch, peers.Owner(65534, 7), server=65534) == "user 65534"
    assert admission(monkeypatch, None) == "?"


def test_the_number_that_stands_for_all_strangers_lets_nobody_in(monkeypatch):
    found = admission(monkeypatch, peers.Owner(65534, 7), mine=65534, others=[65534])
    assert found == "user 65534"


def test_a_process_of_the_run_is_let_in_that_runs_as_the_servers_user(monkeypatch):
    program = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        argv = [sys.executable, "-c", program + "sys.stdin.read()", str(listener.getsockname()[1])]
        marked = {"STACKPROOF_RUN": "guard-test"}
        with subprocess.Popen(argv, env=marked, stdin=subprocess.PIPE) as process:
            accepted, address = listener.accept()
            with accepted:
                monkeypatch.setattr(peers.os, "getuid", lambda: 1)
                for run, expected in (("guard-test", ""), ("other", f"user {os.geteuid()}")):
                    one = peers.Admission(f"STACKPROOF_RUN={run}", os.geteuid())
                    one._users = set()
                    assert one.refuses(address, listener.getsockname()) == expected
            process.stdin.close()
