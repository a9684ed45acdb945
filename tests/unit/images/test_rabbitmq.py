"""RabbitMQ images run natively: what a stack file says of them counts, or is refused."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.engines.process.images import debian, native_image
from stackproof.engines.process.images import rabbitmq_programs as programs
from stackproof.engines.process.images.debian import Packages
from stackproof.engines.process.images.model import no_steps
from stackproof.engines.process.images.rabbitmq_command import enabled_by_command
from stackproof.engines.process.images.rabbitmq_config import (
    OWN,
    REFUSED,
    configuration,
    node_name,
    plugins_of,
    refuse_variables,
)
from stackproof.engines.process.images.rabbitmq_files import MountedFiles
from stackproof.errors import CommandFailed, ConfigError, EngineUnavailable
from stackproof.plan.runtime import Runtime

PORTS = {5672: 26000, 15672: 26001, 25672: 26002}


def config(*texts, plugins=(), ports=PORTS, path=lambda _: None):
    written = configuration("mq", texts, plugins, ports, path)
    return dict(line.split(" = ", 1) for line in written.splitlines())


def test_a_broker_without_configuration_has_what_the_image_has_on_its_own_port():
    assert config() == {
        "loopback_users.guest": "false",
        "log.console": "true",
        "log.file": "false",
        "listeners.tcp.default": "127.0.0.1:26000",
    }


@pytest.mark.parametrize("value", ["5672", "0.0.0.0:5672", ":::5672", "127.0.0.1:5672"])
def test_a_listener_gets_the_port_of_this_machine(value):
    assert config(f"listeners.tcp.1 = {value}")["listeners.tcp.1"] == "127.0.0.1:26000"


def test_a_broker_may_listen_on_no_plain_port():
    found = config(
        "listeners.tcp = none\nlisteners.ssl.default = 5671", ports={**PORTS, 5671: 26003}
    )
    assert found["listeners.tcp"] == "none"
    assert found["listeners.ssl.default"] == "127.0.0.1:26003"


def test_a_listener_on_a_port_that_the_stack_file_does_not_name_is_refused():
    with pytest.raises(ConfigError, match="port 1883") as caught:
        config("mqtt.listeners.tcp.default = 1883", plugins=["rabbitmq_mqtt"])
    assert 'expose: ["1883"]' in caught.value.remedy


def test_the_management_plugin_listens_on_its_own_port():
    found = config("management.tcp.ip = 0.0.0.0", plugins=["rabbitmq_management"])
    assert (found["management.tcp.port"], found["management.tcp.ip"]) == ("26001", "127.0.0.1")


def test_a_plugin_that_nobody_can_reach_takes_any_port():
    assert config(plugins=["rabbitmq_stomp"])["stomp.listeners.tcp.default"] == "127.0.0.1:0"


def test_the_last_file_wins_and_comments_do_not_count():
    found = config("# a = 1\nheartbeat = 10 ## seconds\n\n", "heartbeat = 20\ndefault_vhost = /")
    assert (found["heartbeat"], found["default_vhost"]) == ("20", "/")


def test_a_path_of_the_container_becomes_one_of_this_machine():
    mounted = {"/etc/rabbitmq/definitions.json": "/run/mounted/0"}.get
    found = config("load_definitions = /etc/rabbitmq/definitions.json", path=mounted)
    assert found["load_definitions"] == "/run/mounted/0"


def test_a_path_where_nothing_is_mounted_is_refused():
    with pytest.raises(ConfigError, match=r"no file /etc/rabbitmq/definitions\.json"):
        config("load_definitions = /etc/rabbitmq/definitions.json")


def test_an_address_is_no_path():
    assert config("auth_http.user_path = http://auth:80/user/x")["auth_http.user_path"] == (
        "http://auth:80/user/x"
    )


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_configuration_is_read_or_refused(texts):
    try:
        found = configuration("mq", texts, ["rabbitmq_management"], PORTS, lambda _: None)
    except ConfigError:
        return
    assert "management.tcp.ip = 127.0.0.1" in found


@pytest.mark.parametrize("name", sorted(REFUSED | OWN))
def test_a_variable_that_has_no_meaning_here_is_refused(name):
    with pytest.raises(ConfigError, match=name):
        refuse_variables("mq", {name: "x"})
    refuse_variables("mq", {name: "", "RABBITMQ_DEFAULT_USER": "shop"})


def test_a_node_is_always_on_this_machine_so_that_its_data_fit_every_copy():
    assert node_name("mq", {}) == ("rabbit@localhost", "")
    node, told = node_name("mq", {"RABBITMQ_NODENAME": "orders@mq"})
    assert (node, told) == ("orders@localhost", "its node is orders@localhost, not orders@mq")
    with pytest.raises(ConfigError, match="can't be read"):
        node_name("mq", {"RABBITMQ_NODENAME": "a b"})


def test_the_plugins_are_those_of_the_file_or_of_the_image_that_somebody_can_reach():
    text = "% ours\n[rabbitmq_management, rabbitmq_shovel]. % rabbitmq_top"
    assert plugins_of(text, ["rabbitmq_top"], "", {}) == [
        "rabbitmq_management",
        "rabbitmq_shovel",
        "rabbitmq_top",
    ]
    assert plugins_of(None, [], "management-alpine", PORTS) == ["rabbitmq_management"]
    assert plugins_of(None, [], "alpine", {15692: 1}) == ["rabbitmq_prometheus"]
    assert plugins_of(None, [], "management", {5672: 1}) == []


@pytest.mark.parametrize(
    ("argv", "enabled"),
    [
        ([], []),
        (["rabbitmq-server"], []),
        (["docker-entrypoint.sh", "rabbitmq-server"], []),
        (["/bin/sh", "-c", "rabbitmq-plugins enable --offline a b && exec rabbitmq-server"],
         ["a", "b"]),
        (["bash", "-ec", "rabbitmq-plugins enable a; docker-entrypoint.sh rabbitmq-server"], ["a"]),
    ],
)  # fmt: skip
def test_a_command_may_enable_plugins_before_it_starts_the_server(argv, enabled):
    assert enabled_by_command("mq", argv) == enabled


@pytest.mark.parametrize(
    "argv",
    [
        ["sh", "-c", "rabbitmq-server & rabbitmqctl add_user a b"],
        ["rabbitmq-server", "-detached"],
        ["sh", "/start.sh"],
        ["sh", "-c", "rabbitmq-plugins enable --all-the-way x && rabbitmq-server"],
        ["sh", "-c", "echo 'open"],
    ],
)
def test_a_command_that_does_anything_else_is_refused(argv):
    with pytest.raises(ConfigError, match="can't be honoured"):
        enabled_by_command("mq", argv)


def test_mounted_files_are_copied_for_the_servers_user(tmp_path, run, plan_service):
    source = tmp_path / "etc"
    (source / "conf.d").mkdir(parents=True)
    (source / "rabbitmq.conf").write_text("a = 1")
    (source / "conf.d" / "20-ours.conf").write_text("a = 2")
    service = plan_service("mq", 5672, mounts={"/etc/rabbitmq": source})
    place = run.path / "place"
    place.mkdir()
    files = MountedFiles(service, place)
    files.copy(os.geteuid())
    assert list(files.settings(["/etc/rabbitmq/rabbitmq.conf"])) == ["a = 1", "a = 2"]
    found = Path(files.path("/etc/rabbitmq/rabbitmq.conf"))
    assert place in found.parents
    assert files.path("/etc/rabbitmq/none") is None
    assert files.path("/etc/rabbitmq-other/rabbitmq.conf") is None
    assert files.path(str(source / "rabbitmq.conf")) == str(found)  # translated already


def test_a_mount_among_the_programs_is_refused(tmp_path, run, plan_service):
    (tmp_path / "x.ez").touch()
    service = plan_service("mq", 5672, mounts={"/opt/rabbitmq/plugins/x.ez": tmp_path / "x.ez"})
    (run.path / "place").mkdir()
    with pytest.raises(ConfigError, match="has its own programs"):
        MountedFiles(service, run.path / "place").copy(None)


def test_a_device_is_not_copied(run, plan_service):
    service = plan_service("mq", 5672, mounts={"/etc/rabbitmq/rabbitmq.conf": Path("/dev/zero")})
    (run.path / "place").mkdir()
    with pytest.raises(ConfigError, match="a device"):
        MountedFiles(service, run.path / "place").copy(None)


@pytest.fixture
def installation(tmp_path):
    """A RabbitMQ of two plugins, one of which needs the other, and Erlang's own application."""
    home = tmp_path / "rabbitmq_server-3.10.8"
    for name, needs in {
        "rabbit": "kernel,ranch",
        "ranch": "ssl",
        "rabbitmq_management": "rabbit,cowboy",
        "cowboy": "ranch",
        "rabbitmq_shovel": "rabbit",
    }.items():
        folder = home / "plugins" / f"{name}-3.10.8" / "ebin"
        folder.mkdir(parents=True)
        (folder / f"{name}.app").write_text(f"{{application,{name},[{{applications,[{needs}]}}]}}.")
        (folder / f"{name}.beam").touch()
    (home / "sbin").mkdir()
    (home / "escript").mkdir()
    server = home / "sbin" / "rabbitmq-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    return home


def located(installation, version="3"):
    runtime = Runtime("image", image="rabbitmq", version=version, bindir=installation / "sbin")
    return native_image("rabbitmq").locate(runtime, installation, no_steps)


def test_a_broker_and_its_commands_leave_no_dump_in_the_folder_that_they_run_in(
    installation, open_folder, run, plan_service
):
    endpoints = [plan_service("mq", port).endpoints[0] for port in (5672, 25672)]
    service = replace(plan_service("mq", 5672), endpoints=tuple(endpoints))
    server = located(installation)
    launch = native_image("rabbitmq").prepare(service, server, run, open_folder, no_steps)
    assert run.path in Path(launch.env["ERL_CRASH_DUMP"]).parents


def test_a_broker_sees_the_plugins_that_it_has_enabled_and_what_they_need(
    installation, open_folder
):
    server = located(installation)
    found = programs.lay_out_programs(server, ["rabbitmq_management"], open_folder, no_steps)
    assert sorted(path.name.partition("-")[0] for path in found.plugins.iterdir()) == [
        "cowboy",
        "rabbit",
        "rabbitmq_management",
        "ranch",
    ]
    assert (found.modules / "cowboy.beam").exists()
    assert not (found.modules / "rabbitmq_shovel.beam").exists()
    assert os.access(found.programs / "rabbitmq-server", os.X_OK)


def test_a_plugin_that_is_not_there_is_refused_with_those_that_are(installation, open_folder):
    with pytest.raises(EngineUnavailable, match="no plugin rabbitmq_mqtt") as caught:
        programs.lay_out_programs(located(installation), ["rabbitmq_mqtt"], open_folder, no_steps)
    assert "rabbitmq_shovel" in caught.value.observed


def test_a_configured_folder_without_a_server_is_an_error(tmp_path):
    with pytest.raises(EngineUnavailable, match="STACKPROOF_RABBITMQ_BINDIR"):
        located(tmp_path)


@pytest.fixture
def only_debian(monkeypatch):
    monkeypatch.setattr(programs, "on_path", lambda _name: iter(()))
    found = Packages("rabbitmq-server", {"rabbitmq-server": "3.10.8-1.1+deb12u1", "socat": "1"})
    monkeypatch.setattr(programs, "find_packages", lambda _wanted, _cache: found)
    return found


def unnamed(version):
    return Runtime("image", image="rabbitmq", version=version)


@pytest.mark.parametrize(
    ("version", "told"),
    [("", ""), ("3", ""), ("3.10", ""), ("3.13", "; stands in for rabbitmq:3.13")],
)
def test_debians_packages_are_named_before_they_are_unpacked(only_debian, tmp_path, version, told):
    found = native_image("rabbitmq").locate(unnamed(version), tmp_path, no_steps)
    assert found.description == f"RabbitMQ 3.10.8 (Debian's packages){told}"
    assert found.bindir.is_relative_to(only_debian.folder(tmp_path))


def test_another_major_version_is_never_taken(only_debian, tmp_path):
    with pytest.raises(EngineUnavailable, match=r"no RabbitMQ 4") as caught:
        native_image("rabbitmq").locate(unnamed("4.1"), tmp_path, no_steps)
    assert only_debian.version in caught.value.observed
    assert "--engine compose" in caught.value.remedy


def test_data_of_a_later_version_are_refused(installation, tmp_path):
    image, server = native_image("rabbitmq"), located(installation)
    (tmp_path / ".stackproof-server").write_text("3.13.1")
    assert "RabbitMQ 3.13.1 wrote them" in image.data_fault(tmp_path, server)
    assert image.data_fault(tmp_path, replace(server, version="4.0.2")) == ""
    assert image.data_fault(tmp_path / "none", server) == ""


def test_packages_are_kept_by_their_versions(tmp_path):
    one = Packages("a", {"a": "1:2.0-3", "b": "1"})
    assert one.version == "2.0"
    assert one.folder(tmp_path) != replace(one, versions={"a": "1:2.0-3", "b": "2"}).folder(
        tmp_path
    )


def test_packages_that_cant_be_fetched_are_an_error_that_leaves_nothing(open_folder):
    def fails(step):
        raise CommandFailed(step.name, exit_code=100, output="E: 404 Not Found")

    with pytest.raises(EngineUnavailable, match="could not be unpacked") as caught:
        debian.unpack(Packages("gone", {"gone": "1-1"}), open_folder, fails)
    assert "404" in caught.value.observed
    assert list((open_folder / "debian").glob("gone-*")) == []


def test_a_machine_without_apt_has_none_of_debians_packages(monkeypatch, tmp_path):
    monkeypatch.setattr(debian.shutil, "which", lambda _name: None)
    assert debian.find_packages(["rabbitmq-server"], tmp_path) is None
