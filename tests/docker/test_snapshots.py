"""Isolated stacks that start from the data after seed, as the Docker Engine itself tells it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.docker.conftest import Project

from stackproof.isolation.isolated import open_stack
from stackproof.lifecycle import StackRequest
from stackproof.waiting import wait_until

COMPOSE = """\
services:
  db:
    image: POSTGRES
    environment: {POSTGRES_PASSWORD: secret-of-db, POSTGRES_DB: shop_test}
    volumes: ["db-data:/var/lib/postgresql/data"]
  cache:
    image: REDIS
    command: [redis-server, --save, ""]
  thing:
    image: IMAGE
    init: true
    command: [python, /app/loop.py]
    volumes: ["./app:/app:ro", "own:/var/lib/thing", "shared:/srv/shared"]
    depends_on: {db: {condition: service_healthy}, cache: {condition: service_healthy}}
    x-stackproof: {data: [/srv/state]}
  other:
    image: IMAGE
    init: true
    command: [python, /app/loop.py]
    volumes: ["./app:/app:ro", "shared:/mnt/shared"]
volumes: {db-data: {}, own: {}, shared: {}}
"""

SEED = """\
import os, pathlib, socket
for folder in ("/var/lib/thing", "/srv/shared", "/srv/state"):
    os.makedirs(folder, exist_ok=True)
    pathlib.Path(folder, "seeded").write_text("by seed")
os.chmod("/srv/state", 0o750)
link = socket.create_connection(("cache", 6379))
link.sendall(b"SET seeded yes\\r\\n")
assert link.recv(64) == b"+OK\\r\\n"
"""

CONFIG = """\
stack: STACK
project: STACK
engine: compose
compose_files: [../compose.yaml]
database: {service: db, name: shop_test}
migrate: {service: db, command: [psql, -U, postgres, shop_test, -c, "create table item (n text)"]}
seed:
  - {service: db, command: [psql, -U, postgres, shop_test, -c, "insert into item values ('one')"]}
  - {service: thing, command: [python, /app/seed.py]}
timeouts: {start: 90, command: 60}
"""

OWNER = """\
import os
from pathlib import Path
from stackproof.isolation.isolated import open_stack
from stackproof.lifecycle import StackRequest
open_stack(StackRequest(root=Path.cwd(), environment=dict(os.environ)), print)
"""

FILES = {
    "thing": ["/var/lib/thing/seeded", "/srv/shared/seeded", "/srv/state/seeded"],
    "other": ["/mnt/shared/seeded"],
}


class Shop:
    """A stranger's project with data of every kind, and what Docker has of its stacks.

    Args:
        project: The project folder.
    """

    def __init__(self, project):
        self.project = project
        self.api = project.client.api
        self.told = []
        # Below a folder that others may pass through, else root's cache of servers is taken.
        self.outer = Path(tempfile.mkdtemp(prefix="stackproof-test-"))
        self.outer.chmod(0o755)
        self.cache = self.outer / "cache"
        project.environment["STACKPROOF_CACHE_DIR"] = str(self.cache)

    def open(self):
        stack_request = StackRequest(root=self.project.folder, environment=self.project.environment)
        return open_stack(stack_request, self.told.append)

    def close(self, *stacks):
        for one in stacks:
            one.close(self.told.append)

    def of_stack(self):
        return {"label": [f"dev.stackproof.stack={self.project.name}"]}

    def images(self):
        wanted = {"label": [*self.of_stack()["label"], "dev.stackproof.snapshot"]}
        return self.api.images(filters=wanted)

    def tags(self):
        return sorted(tag for one in self.images() for tag in one["RepoTags"] or ["<none>"])

    def left(self):
        """Everything that stacks have left in Docker, the complete snapshots apart."""
        wanted = self.of_stack()
        found = [one["Names"][0] for one in self.api.containers(all=True, filters=wanted)]
        found += [one["Name"] for one in self.api.networks(filters=wanted)]
        found += [one["Name"] for one in self.api.volumes(filters=wanted)["Volumes"] or []]
        found += [str(path) for path in self.cache.glob("snapshots/.new-*")]
        return found + [tag for tag in self.tags() if tag.startswith("<none>")]

    def made(self):
        return sum("making a snapshot" in line for line in self.told)


@pytest.fixture(scope="module")
def shop(engine, make_shop):
    """A project whose snapshot the tests of this module share."""
    shop = make_shop(engine)
    shop.close(shop.open())
    assert shop.made() == 1
    return shop


@pytest.fixture(scope="module")
def make_shop(tmp_path_factory, python_image):
    """Makes such a project; its images are removed at the end."""
    made = []

    def make(engine):
        project = Project(tmp_path_factory.mktemp("shop"), engine, python_image, 0)
        images = {
            "IMAGE": python_image,
            "POSTGRES": os.environ.get("POSTGRES_IMAGE", "postgres:16"),
            "REDIS": os.environ.get("REDIS_IMAGE", "redis:7"),
        }
        text = COMPOSE
        for word, image in images.items():
            text = text.replace(f"image: {word}\n", f"image: {image}\n")
        project.write("compose.yaml", text)
        project.write(project.config, CONFIG.replace("STACK", project.name))
        project.write("app/seed.py", SEED)
        project.write("owner.py", OWNER)
        made.append(Shop(project))
        return made[-1]

    yield make
    for shop in made:
        shop.project.close()
        for image in shop.images():
            shop.api.remove_image(image["Id"], force=True)
        shutil.rmtree(shop.outer)
        assert shop.left() == []


def seeded(own):
    """What a copy has of each kind of data."""
    rows = own.stack.rows("select n from item", service="db")
    found = {"rows": [row["n"] for row in rows]}
    done = own.stack.service("cache").exec(["redis-cli", "GET", "seeded"])
    found["cache"] = done.stdout.strip()
    for service, paths in FILES.items():
        for path in paths:
            done = own.stack.service(service).exec(["cat", path])
            found[f"{service}:{path}"] = done.stdout
    return found


EVERYTHING = {
    "rows": ["one"],
    "cache": "yes",
    **{f"{service}:{path}": "by seed" for service, paths in FILES.items() for path in paths},
}


def test_copies_that_start_at_once_have_all_data_and_do_not_meet(shop):
    with ThreadPoolExecutor() as pool:
        one, two = pool.map(lambda _: shop.open(), range(2))
    try:
        assert seeded(one) == EVERYTHING
        one.stack.psql(["-c", "drop table item"], service="db")
        one.stack.service("cache").exec(["redis-cli", "FLUSHALL"])
        one.stack.service("thing").exec(["rm", "/srv/state/seeded", "/var/lib/thing/seeded"])
        one.stack.service("other").exec(["rm", "/mnt/shared/seeded"])
        assert one.stack.service("thing").exec(["cat", "/srv/shared/seeded"]).exit_code != 0
        assert seeded(two) == EVERYTHING
    finally:
        shop.close(one, two)
    assert shop.made() == 1
    assert shop.left() == []


def test_large_data_are_in_a_layer_and_not_copied(shop):
    own = shop.open()
    details = own.stack.running.details()
    shop.close(own)
    places = {name: one["Mounts"] for name, one in details.items()}
    assert all(one["Type"] == "bind" for one in places["thing"] if one["Destination"][1:4] == "var")
    environment = details["db"]["Config"]["Env"]
    assert "PGDATA=/.stackproof/0/data" in environment
    assert not any(one["Destination"].startswith("/.stackproof") for one in places["db"])


def test_an_image_has_nothing_of_its_service_but_the_data(shop):
    for image in shop.images():
        found = shop.api.inspect_image(image["Id"])
        assert "secret-of-db" not in str(found["Config"])


def test_a_missing_image_is_noticed_and_made_again(shop):
    before = shop.tags()
    shop.api.remove_image(next(tag for tag in before if "-db:" in tag))
    own = shop.open()
    try:
        assert seeded(own)["rows"] == ["one"]
    finally:
        shop.close(own)
    assert any("recreating the damaged snapshot" in line for line in shop.told)
    assert shop.tags() == before


def test_clearing_removes_the_images_and_none_that_others_have_derived(engine, shop):
    project = shop.project
    base = next(tag for tag in shop.tags() if "-db:" in tag)
    derived = engine.api.create_container(base, ["none"])["Id"]
    name = f"somebodys-{project.name}"
    engine.api.commit(derived, name)
    engine.api.remove_container(derived, v=True)
    try:
        said = project.invoke("snapshots")
        assert project.name in said
        assert "compose" in said
        assert "removed 1 snapshot\n" in project.invoke("snapshots", "--clear")
        assert shop.tags() == [f"{name}:latest"]
        assert "no snapshots" in project.invoke("snapshots")
    finally:
        engine.api.remove_image(name)


def test_a_killed_maker_leaves_nothing(engine, make_shop):
    shop = make_shop(engine)
    owner = subprocess.Popen(
        [sys.executable, "owner.py"], cwd=shop.project.folder, env=shop.project.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    shop.project.started.append(owner)
    wait_until(
        lambda: shop.images() or owner.poll() is not None, timeout=90, what="an image is made"
    )
    assert owner.poll() is None, owner.stdout.read()
    os.kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: not shop.left() and not shop.images(), timeout=60, what="nothing is left")
