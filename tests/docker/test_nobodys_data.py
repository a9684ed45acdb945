"""Nobody's data but the run's: a developer's database runs while a copy of its stack file does."""

import hashlib
import os
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from stackproof import lifecycle
from stackproof.engines.compose.labels import owner
from stackproof.engines.compose.snapshot_keeper import ComposeSnapshots
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

DATA = "/var/lib/postgresql/data"

BIND = """\
services:
  db:
    image: IMAGE
    environment: {POSTGRES_PASSWORD: open, POSTGRES_DB: shop_e2e}
    volumes: ["./pgdata:/var/lib/postgresql/data"]
"""
PARENT = BIND.replace(":/var/lib/postgresql/data", ":/var/lib/postgresql")
EXTERNAL = BIND.replace("./pgdata:", "pg:") + "volumes: {pg: {external: true, name: THEIRS}}\n"
BIND_VOLUME = (
    BIND.replace("./pgdata:", "pg:")
    + "volumes: {pg: {driver_opts: {type: none, o: bind, device: HERE/pgdata}}}\n"
)
NAMED = BIND.replace("./pgdata:", "pg:") + "volumes: {pg: {}}\n"


class Developer:
    """Somebody's PostgreSQL, whose data are in a folder or in a volume."""

    def __init__(self, client, image, source):
        self.client = client
        self.container = client.containers.run(
            image, detach=True, environment={"POSTGRES_PASSWORD": "theirs"},
            volumes={source: {"bind": DATA, "mode": "rw"}},
        )  # fmt: skip
        wait_until(self.answers, timeout=60, what="the developer's database answers")
        self.sql("create table orders (n int)")
        self.sql("insert into orders values (1), (2)")

    def answers(self):
        logs = self.container.logs().decode()
        return logs.count("ready to accept connections") > 1

    def sql(self, text):
        code, output = self.container.exec_run(["psql", "-U", "postgres", "-Atqc", text])
        assert code == 0, output
        return output.decode().strip()

    def is_well(self):
        """Its rows are there, also after the server was started again from its files."""
        self.container.restart(timeout=1)
        wait_until(
            lambda: self.container.exec_run(["pg_isready", "-U", "postgres"]).exit_code == 0,
            timeout=60,
            what="the developer's database answers again",
        )
        assert "PANIC" not in self.container.logs().decode()
        return self.sql("select count(*) from orders") == "2"

    def close(self):
        self.container.remove(force=True, v=True)


def fingerprint(folder):
    """Each file's mode, owner, size, time and content."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        about = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (
            about.st_mode, about.st_uid, about.st_size, about.st_mtime_ns, content
        )  # fmt: skip
    return found


@pytest.fixture
def postgres_image():
    return os.environ.get("POSTGRES_IMAGE", "postgres:16")


@pytest.fixture
def theirs(engine):
    """A volume that somebody has made, removed after the test."""
    name = f"theirs-{secrets.token_hex(4)}"
    engine.volumes.create(name)
    yield name
    engine.volumes.get(name).remove(force=True)


def stack(project, text, **words):
    """Let a project have this stack file."""
    words = {"HERE": str(project.folder), **words}
    for word, value in words.items():
        text = text.replace(word, value)
    project.write("compose.yaml", text)
    ports = f"ports: {{db: {project.port}}}" if "\n  db:" in text else ""
    project.write(
        project.config,
        f"""\
        stack: {project.name}
        project: {project.name}
        engine: compose
        compose_files: [../compose.yaml]
        {ports}
        timeouts: {{start: 60, command: 60}}
        """,
    )


ATTACKS = {
    "bind": BIND,
    "bind of a parent": PARENT,
    "external volume": EXTERNAL,
    "volume that is a bind": BIND_VOLUME,
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_a_developers_live_database_is_untouched(project, engine, theirs, postgres_image, text):
    folder = project.folder / "pgdata"
    folder.mkdir()
    on_volume = text is EXTERNAL
    place = engine.volumes.get(theirs).attrs["Mountpoint"] if on_volume else str(folder)
    developer = Developer(engine, postgres_image, theirs if on_volume else str(folder))
    try:
        developer.sql("checkpoint")
        developer.container.pause()  # it writes to its files by itself now and then
        before = fingerprint(place)
        stack(project, text, IMAGE=postgres_image, THEIRS=theirs)
        said = project.invoke("up")
        assert "starts with an empty folder instead of" in said
        assert "compose.yaml:5" in said
        db = project.container("db")
        made = db.exec_run(
            ["psql", "-U", "postgres", "shop_e2e", "-c", "create table orders (x int)"]
        )
        assert made.exit_code == 0, made.output
        project.invoke("down")
        assert not project.left()
        assert fingerprint(place) == before
        developer.container.unpause()
        assert developer.is_well()
    finally:
        developer.close()


def test_a_volume_of_somebody_else_under_our_name_is_neither_used_nor_removed(
    project, engine, postgres_image
):
    name = f"{project.name}_pg"
    engine.volumes.create(name, labels={"com.docker.compose.project": project.name})
    developer = Developer(engine, postgres_image, name)
    try:
        stack(project, NAMED, IMAGE=postgres_image)
        said = project.invoke("up", code=1)
        assert f"volume {name}" in said
        project.invoke("down")
        assert engine.volumes.get(name)
        assert developer.is_well()
    finally:
        developer.close()
        engine.volumes.get(name).remove(force=True)


WRITER = """\
services:
  web:
    image: IMAGE
    init: true
    command: [python, /app/write.py]
    user: "1234:1234"
    volumes:
      - ./app:/app:ro
      - ./uploads:/uploads
      - ./one.conf:/one.conf
      - ./nowhere:/nowhere
      - theirs:/theirs
    networks: [shared]
    healthcheck: {test: [CMD, test, -e, /tmp/done], interval: 1s, retries: 30}
  proxy:
    image: IMAGE
    init: true
    command: [python, -c, "import time; time.sleep(100000)"]
    volumes: ["./uploads:/srv:ro"]
    networks: [shared]
volumes: {theirs: {external: true, name: THEIRS}}
networks: {shared: {external: true, name: THEIRS}}
"""
WRITE = """\
import os, pathlib, time
for folder in ("/uploads", "/theirs"):
    pathlib.Path(folder, "new").write_text("of the service")
    pathlib.Path(folder, "old").unlink()
pathlib.Path("/one.conf").write_text("changed")
pathlib.Path("/tmp/done").touch()
time.sleep(100000)
"""


@pytest.fixture
def their_network(engine, theirs):
    """A network of that name, in which somebody's database is."""
    made = engine.networks.create(theirs)
    yield made
    made.remove()


@pytest.fixture
def writing(project, engine, theirs, their_network, python_image):
    """A project whose service writes to whatever is mounted, and what it finds there before."""
    place = Path(engine.volumes.get(theirs).attrs["Mountpoint"])
    (project.folder / "uploads").mkdir()
    for folder in (place, project.folder / "uploads"):
        (folder / "old").write_text("of the developer")
        os.chown(folder, 1234, 1234)
    (project.folder / "one.conf").write_text("original")
    os.chown(project.folder / "one.conf", 1234, 1234)
    project.write("app/write.py", WRITE)
    stack(project, WRITER, IMAGE=python_image, THEIRS=theirs)

    def theirs_now():
        conf = project.folder / "one.conf"
        shop = {key: one for key, one in fingerprint(project.folder).items()
                if key.startswith(("uploads", "one.conf", "nowhere"))}  # fmt: skip
        return shop, fingerprint(place), conf.read_text(), their_network.attrs["Containers"]

    project.theirs_now = theirs_now
    return project


def test_services_write_to_copies_of_folders_files_and_external_volumes(writing):
    before = writing.theirs_now()
    writing.invoke("up")
    web, proxy = writing.container("web"), writing.container("proxy")
    for folder in ("/uploads", "/theirs"):
        assert web.exec_run(["ls", folder]).output.decode() == "new\n"
    assert proxy.exec_run(["ls", "/srv"]).output.decode() == "new\n"
    assert web.exec_run(["cat", "/one.conf"]).output.decode() == "changed"
    assert list(web.attrs["NetworkSettings"]["Networks"]) == [f"{writing.name}_shared"]
    assert writing.theirs_now() == before
    writing.invoke("down")
    assert writing.theirs_now() == before
    assert not writing.left()


def test_shared_folders_are_written_to_and_the_stack_can_be_taken_down(writing):
    writing.append(writing.config, 'mounts: {"./uploads": share, theirs: share}\n')
    writing.invoke("up")
    writing.invoke("down")
    shop, volume, *_ = writing.theirs_now()
    assert "uploads/new" in shop
    assert "new" in volume
    assert not writing.left()


def test_what_was_kept_of_another_state_folder_is_refused_and_stays(project, engine):
    name = f"{project.name}_kept"
    labels = {"dev.stackproof.project": project.name, "dev.stackproof.owner": owner(),
              "dev.stackproof.root": "/elsewhere", "com.docker.compose.project": project.name,
              "com.docker.compose.volume": "kept"}  # fmt: skip
    theirs = engine.volumes.create(name, labels=labels)
    try:
        said = project.invoke("up", code=1)
        assert f"Docker already has the volume {name}" in said
        project.invoke("down")
        assert engine.volumes.get(name)
    finally:
        theirs.remove()


def test_a_network_of_somebody_else_under_our_name_is_refused_and_stays(project, engine):
    theirs = engine.networks.create(f"{project.name}_default")
    try:
        assert f"Docker already has the network {theirs.name}" in project.invoke("up", code=1)
        assert engine.networks.get(theirs.id)
    finally:
        theirs.remove()


def test_the_socket_of_docker_is_refused_before_anything_is_made(project):
    project.replace("compose.yaml", '"kept:/data"', '"kept:/data", "/var/run/docker.sock:/d.sock"')
    said = project.invoke("up", code=1)
    assert "web may not write to /var/run/docker.sock" in said
    assert not project.left()


def test_a_snapshot_has_what_was_written_to_copies_and_each_stack_its_own(writing, tmp_path):
    before, said = writing.theirs_now(), []
    stack_request = lifecycle.StackRequest(root=writing.folder, environment=writing.environment)
    resolved = lifecycle.prepare(stack_request, said.append)
    stack = lifecycle.up(resolved, said.append).stack
    keeper, entry = ComposeSnapshots(writing.environment), tmp_path / "entry"
    entry.mkdir()
    try:
        keeper.take(stack.plan, resolved.run, entry, entry, said.append)
        lifecycle.down(resolved, said.append)
        writing.write("app/write.py", "open('/tmp/done', 'w'); import time; time.sleep(1000)")
        isolated = lifecycle.prepare(replace(stack_request, isolated=True), said.append)
        lifecycle.up(isolated, said.append, snapshot=entry)
        try:
            writing.name = isolated.run.project
            for service, folder in (("web", "/uploads"), ("web", "/theirs"), ("proxy", "/srv")):
                found = writing.container(service).exec_run(["ls", folder])
                assert found.output.decode() == "new\n"
        finally:
            take_down(isolated.run, seconds=20)
        assert writing.theirs_now() == before
        assert any("/one.conf" in line and "not part of the snapshot" in line for line in said)
        assert not writing.left()
    finally:
        keeper.drop(entry)
