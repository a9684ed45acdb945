"""Containers of servers that isolated stacks share: each stack has a part of its own on them."""

import os
import signal
import subprocess
import sys

import pytest

from stackproof.waiting import wait_until

pytestmark = pytest.mark.usefixtures("bystander_unharmed")

COMPOSE = """\
services:
  web:
    image: IMAGE
    init: true
    command: [python, /app/service.py]
    environment:
      DATABASE_URL: postgresql://shop@db:5432/shop_e2e
      CACHE_URL: redis://cache/0
    volumes: ["./app:/app:ro"]
    depends_on: {db: {condition: service_healthy}, cache: {condition: service_started}}
    x-stackproof: {ready: {log: "did its work"}}
  db:
    image: ${POSTGRES_IMAGE:-postgres:16}
    environment: {POSTGRES_USER: shop, POSTGRES_DB: shop_e2e, POSTGRES_HOST_AUTH_METHOD: trust}
    healthcheck: {test: [CMD-SHELL, pg_isready -h 127.0.0.1 -U shop], interval: 1s, retries: 60}
  cache:
    image: ${REDIS_IMAGE:-redis:7}
"""

CONFIG = """\
database: {service: db, name: shop_e2e}
migrate: {service: db, command: [psql, -U, shop, -d, shop_e2e, -c, create table item (id int)]}
seed: {service: db, command: [psql, -U, shop, -d, shop_e2e, -c, insert into item values (1)]}
isolation: {shared: [db, cache]}
"""

SERVICE = """\
import os, socket, struct, time
from urllib.parse import urlsplit

def connect(variable, port):
    address = urlsplit(os.environ[variable])
    name = address.path[1:]
    return name, socket.create_connection((address.hostname, address.port or port))

# Protocol 3.0: StartupMessage, then a simple query; the server trusts everybody.
name, link = connect("DATABASE_URL", 5432)
body = struct.pack("!i", 3 << 16) + b"user\\0shop\\0database\\0" + name.encode() + b"\\0\\0"
link.sendall(struct.pack("!i", len(body) + 4) + body)
query = b"create table from_web ()\\0"
link.sendall(b"Q" + struct.pack("!i", len(query) + 4) + query)
answer = b""
while not (b"CREATE TABLE" in answer or b"ERROR" in answer):
    part = link.recv(65536)
    assert part, "the server has closed the connection"
    answer += part
print(answer)
index, link = connect("CACHE_URL", 6379)
link.sendall(f"SELECT {index}\\r\\nINCR visits\\r\\n".encode())
print(link.recv(100), "did its work", flush=True)
time.sleep(1000)
"""

TESTS = """\
import pytest
from stackproof.errors import Refused

@pytest.mark.parametrize("number", range(3))
def test_has_its_own_parts(stack, number):
    assert stack.rows("select id from item") == [{"id": 1}]
    tables = stack.rows("select tablename from pg_tables where schemaname = 'public' order by 1")
    assert [one["tablename"] for one in tables] == ["from_web", "item"]
    stack.psql(["-c", "drop table item"], service="db")
    assert ":2" in stack.service("web").logs()  # the first visit was before the snapshot
    with pytest.raises(Refused):
        stack.service("db").kill()
    assert "ready to accept connections" in stack.service("db").logs()
"""

SLEEP = """\
import time

def test_waits(stack):
    open("reached", "w").close()
    time.sleep(100)
"""


@pytest.fixture
def sharing(project, python_image):
    """A project whose stacks share PostgreSQL and Redis."""
    project.write("compose.yaml", COMPOSE.replace(": IMAGE", f": {python_image}"))
    project.write("app/service.py", SERVICE)
    images = ("POSTGRES_IMAGE", "REDIS_IMAGE")
    variables = {name: os.environ[name] for name in images if name in os.environ}
    project.replace(project.config, f"ports: {{web: {project.port}}}", CONFIG)
    project.append(project.config, f"variables: {variables}\n")
    project.write("pytest.ini", "[pytest]\n")
    project.environment["STACKPROOF_CACHE_DIR"] = str(project.folder / "cache")
    yield project
    project.invoke("snapshots", "--clear")


def begin(project, tests, *arguments):
    project.write("tests/test_own.py", tests)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", *arguments]
    process = subprocess.Popen(
        argv, cwd=project.folder, env=project.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    project.started.append(process)
    return process


def networks_of(project):
    filters = {"label": [f"dev.stackproof.stack={project.name}"]}
    return [one["Name"] for one in project.client.api.networks(filters=filters)]


def containers_of(project):
    filters = {"label": [f"dev.stackproof.stack={project.name}"]}
    return [one["Names"][0] for one in project.client.api.containers(all=True, filters=filters)]


def nothing_is_left(project):
    return not (networks_of(project) or containers_of(project) or project.state.exists())


def test_stacks_reach_the_same_servers_by_name_and_do_not_meet(sharing):
    process = begin(sharing, TESTS)
    said, _ = process.communicate(timeout=300)
    assert "3 passed" in said, said
    wait_until(lambda: nothing_is_left(sharing), timeout=60, what="nothing is left")


def test_servers_and_networks_of_a_killed_test_process_are_gone(sharing):
    process = begin(sharing, SLEEP)
    wait_until((sharing.folder / "reached").exists, timeout=120, what="the test has its stack")
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: nothing_is_left(sharing), timeout=60, what="nothing is left")
