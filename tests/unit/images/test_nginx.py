"""The nginx image run natively: what its container has, and what a stack file adds."""

from dataclasses import replace

import pytest

from stackproof.engines.process.images import native_image
from stackproof.engines.process.images.model import Server, no_steps
from stackproof.errors import ConfigError, EngineUnavailable
from stackproof.plan.runtime import Runtime
from stackproof.plan.world.model import ROOT, Account, Layer, World

NGINX = native_image("nginx")


@pytest.fixture
def prepare(plan_service, run, open_folder, tmp_path):
    def launch(argv=(), environment=None, layers=(), user=ROOT):
        world = World("web", layers=layers, user=user)
        service = replace(plan_service("web", 80, argv, environment), world=world)
        server = Server("nginx", tmp_path, "1.22.1", "configured")
        return NGINX.prepare(service, server, run, open_folder / "cache", no_steps)

    return launch


def test_without_a_command_it_stays_in_the_foreground_under_its_own_folder(prepare):
    assert prepare().argv[1:] == ("-p", "/etc/nginx", "-g", "daemon off;")


@pytest.mark.parametrize(
    "argv",
    [
        ("nginx", "-g", "daemon off;", "-c", "/own.conf"),
        ("/docker-entrypoint.sh", "nginx", "-g", "daemon off;", "-c", "/own.conf"),
        ("sh", "-c", "nginx -g 'daemon off;' -c /own.conf"),
    ],
)
def test_the_options_of_a_command_count(prepare, argv):
    assert prepare(argv).argv[3:] == ("-g", "daemon off;", "-c", "/own.conf")


def test_a_script_of_a_shell_runs_as_it_is_written(prepare):
    script = "envsubst < /tmp/x > /etc/nginx/conf.d/default.conf && nginx -g 'daemon off;'"
    assert prepare(("/bin/bash", "-c", script)).argv == ("/bin/bash", "-c", script)
    assert prepare(("sh", "-c", "nginx -g 'daemon off; # a && b'")).argv[1] == "-p"


def test_a_command_that_runs_something_else_is_refused(prepare):
    with pytest.raises(ConfigError, match="does not run nginx"):
        prepare(("sleep", "infinity"))


def test_its_folders_are_those_of_the_image_and_its_logs_go_to_the_streams(prepare):
    seen = prepare().image_files
    assert "include /etc/nginx/conf.d/*.conf;" in (seen["/etc/nginx"] / "nginx.conf").read_text()
    assert "listen 80;" in (seen["/etc/nginx"] / "conf.d/default.conf").read_text()
    assert str((seen["/var/log/nginx"] / "error.log").readlink()) == "/dev/stderr"
    assert (seen["/usr/share/nginx/html"] / "index.html").stat().st_mode & 0o777 == 0o644
    assert seen["/var/cache/nginx"].stat().st_mode & 0o777 == 0o777


def test_a_user_that_is_not_root_keeps_its_process_number_where_it_can_write(prepare):
    seen = prepare(user=Account(101, 101, "nginx")).image_files
    assert "pid /tmp/nginx.pid;" in (seen["/etc/nginx"] / "nginx.conf").read_text()


def test_templates_get_the_variables_that_there_are_and_keep_those_of_nginx(prepare, tmp_path):
    template = tmp_path / "site.conf.template"
    template.write_text("proxy_pass http://${BACKEND}:$PORT; set $host ${request_uri};")
    layer = Layer("/etc/nginx/templates/site.conf.template", template, "bind")
    seen = prepare(environment={"BACKEND": "api", "PORT": "9000"}, layers=(layer,)).seen
    filled = seen["/etc/nginx/conf.d/site.conf"].read_text()
    assert filled == "proxy_pass http://api:9000; set $host ${request_uri};"


def test_another_version_stands_in_and_is_named(tmp_path):
    program = tmp_path / "nginx"
    program.write_text("#!/bin/sh\necho 'nginx version: nginx/1.22.1' >&2\n")
    program.chmod(0o755)
    asked = Runtime("image", image="nginx", version="1.27", bindir=tmp_path)
    server = NGINX.locate(asked, tmp_path, no_steps)
    assert server.description == "nginx 1.22.1 (configured); stands in for nginx:1.27"
    same = NGINX.locate(replace(asked, version="1.22"), tmp_path, no_steps)
    assert same.notices == ()


def test_a_folder_without_the_program_is_named(tmp_path):
    with pytest.raises(EngineUnavailable, match="no nginx") as caught:
        NGINX.locate(Runtime("image", image="nginx", bindir=tmp_path), tmp_path, no_steps)
    assert f"{tmp_path}/nginx" in str(caught.value.checked)


def test_a_script_of_the_entrypoint_is_told_to_be_left_out(prepare, tmp_path):
    script = tmp_path / "40-own.sh"
    script.write_text("exit 1\n")
    layer = Layer("/docker-entrypoint.d/40-own.sh", script, "bind")
    (told,) = prepare(layers=(layer,)).notices
    assert told.startswith("/docker-entrypoint.d/40-own.sh is not run")
    assert prepare().notices == ()
