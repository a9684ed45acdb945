"""Nobody's data but the run's: a developer's database runs while a copy of its stack file does."""

import hashlib
import os
import secrets
from pathlib import Path

import pytest

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
        self.container.restart(timeout=10)
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
    service = "db" if "\n  db:" in text else "web"
    project.write(
        project.config,
        f"""\
        stack: {project.name}
        project: {project.name}
        engine: compose
        compose_files: [../compose.yaml]
        ports: {{{service}: {project.port}}}
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
        before = fingerprint(place)
        stack(project, text, IMAGE=postgres_image, THEIRS=theirs)
        said = project.invoke("up")
        assert "an empty place of this run stands for" in said
        assert "compose.yaml:5" in said
        db = project.container("db")
        made = db.exec_run(
            ["psql", "-U", "postgres", "shop_e2e", "-c", "create table orders (x int)"]
        )
        assert made.exit_code == 0, made.output
        project.invoke("down")
        assert not project.left()
        after = fingerprint(place)
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        assert not {one for one in changed if "pg_stat" not in one}
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
