"""Whatever a stack names as a file, nothing waits for it, reads it without end, or breaks."""

import os
import socket
from types import SimpleNamespace

import pytest

from stackproof.engines.process.images import redis
from stackproof.engines.process.images.postgres_cluster import read_cluster
from stackproof.engines.process.images.postgres_init import run_init_files
from stackproof.errors import ConfigError
from stackproof.plan import make_plan
from stackproof.plan.services.image_tag import image_of
from stackproof.settings import load_settings
from stackproof.stack_file import load_stack_file
from stackproof.stack_file.regular_files import LARGEST, read_file, read_text_file


def fifo(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


def listener(path):
    folder = os.open(path.parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as link:
        link.bind(f"/proc/self/fd/{folder}/{path.name}")  # a socket's own path has 108 bytes
    os.close(folder)


def too_large(path):
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)


def circle(path):
    path.symlink_to(path.name)


KINDS = {
    fifo: "it is a named pipe, not a file",
    endless: "it is a device, not a file",
    listener: "it is a socket, not a file",
    os.mkdir: "it is a folder, not a file",
    too_large: "it is larger than 10 MiB",
    circle: "Too many levels of symbolic links",
}
each_kind = pytest.mark.parametrize(("make", "why"), KINDS.items(), ids=lambda one: one)

COMPOSE = "services:\n  a: {image: redis, env_file: own.env, build: .}\n"
CONFIG = "stack: shop\ncompose_files: [../compose.yaml]\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shop.yaml").write_text(CONFIG)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "own.env").write_text("A=1\n")
    (tmp_path / "Dockerfile").write_text('FROM python\nCMD ["x"]\n')
    return tmp_path


def plan(root):
    settings = load_settings(root, stack=None, environment={})
    stack_file = load_stack_file(settings.compose_files, {})
    return make_plan(settings, stack_file, engine="process", run_folder=root / "run")


def test_the_project_itself_can_be_planned(project):
    assert [one.name for one in plan(project).services] == ["a"]


@each_kind
@pytest.mark.parametrize(
    "name",
    ["compose.yaml", "own.env", ".env", "Dockerfile", ".env.integration", "config/shop.yaml"],
)
def test_a_file_that_is_no_regular_one_is_an_error_that_says_what_it_is(project, make, why, name):
    (project / name).unlink(missing_ok=True)
    make(project / name)
    with pytest.raises(ConfigError, match=why):
        plan(project)


@each_kind
def test_the_file_with_the_password_of_a_server(tmp_path, make, why):
    make(tmp_path / "password")
    with pytest.raises(ConfigError, match=why):
        read_cluster("db", {"POSTGRES_PASSWORD_FILE": str(tmp_path / "password")})


@each_kind
def test_the_configuration_file_of_a_redis(tmp_path, make, why):
    make(tmp_path / "redis.conf")
    argv = ("redis-server", str(tmp_path / "redis.conf"))
    service = SimpleNamespace(name="cache", argv=argv, environment={})
    with pytest.raises(ConfigError, match=why):
        redis._configuration(service, server=None)


@pytest.mark.parametrize(
    ("make", "why"), [(one, why) for one, why in KINDS.items() if one is not too_large]
)
@pytest.mark.parametrize("whole", [True, False], ids=["folder", "file"])
def test_the_start_up_files_of_a_database(tmp_path, make, why, whole):
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    make(scripts / "one.sql")
    folder = "/docker-entrypoint-initdb.d"
    mounts = {folder: scripts} if whole else {f"{folder}/one.sql": scripts / "one.sql"}
    service = SimpleNamespace(name="db", mounts=mounts, world=None)
    with pytest.raises(ConfigError, match=why):
        run_init_files(service, None, None, tmp_path / "data", None)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_the_name_of_an_image_is_made_without_waiting_for_a_file(project, make, name):
    (project / name).unlink(missing_ok=True)
    make(project / name)
    service = load_stack_file([project / "compose.yaml"], {}).services["a"]
    assert image_of("shop", service).startswith("stackproof/shop:")


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"])
def test_a_path_that_no_file_can_have_is_an_error_of_the_system(tmp_path, path):
    with pytest.raises(OSError, match="its path"):
        read_file(tmp_path / path)


@pytest.mark.parametrize(
    ("content", "why"), [(b"a\nb\0", "line 2 has a NUL"), (b"ab\xff", "line 1 is not UTF-8")]
)
def test_bytes_that_are_no_text_are_an_error_with_their_place(tmp_path, content, why):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(OSError, match=why):
        read_text_file(tmp_path / "file")
