"""Tests of the compose engine against a real Docker Engine, on a stranger's small project.

Every project has a name and a state folder of its own, so that tests can run in parallel.
"""

import os
import secrets
import statistics
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.port_claims import claim
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

WAY = "start Docker, or `.ci/provision` as root on Debian, then `./dev nox -s docker`"
MEASURED = "seconds until nothing was left"

OWN_VARIABLES = ("STACKPROOF_KILLS", "STACKPROOF_KILL_SEED")
"""Of these tests; a command would refuse them as unknown settings."""

FILES = {
    "compose.yaml": """\
        services:
          web:
            image: IMAGE
            init: true
            command: [python, /app/server.py]
            ports: ["8000:8000"]
            volumes: ["./app:/app:ro", "kept:/data"]
            healthcheck: {test: [CMD, python, /app/check.py], interval: 1s, retries: 30}
          worker:
            image: IMAGE
            init: true
            command: [python, /app/loop.py]
            volumes: ["./app:/app:ro"]
            depends_on: {web: {condition: service_healthy}}
        volumes: {kept: {}}
        """,
    "app/server.py": """\
        import http.server
        http.server.ThreadingHTTPServer(
            ("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler
        ).serve_forever()
        """,
    "app/check.py": """\
        import urllib.request
        urllib.request.urlopen("http://127.0.0.1:8000/", timeout=5)
        """,
    "app/loop.py": """\
        import time
        print("at work", flush=True)
        while True:
            time.sleep(1)
        """,
    "config/STACK.yaml": """\
        stack: STACK
        project: STACK
        engine: compose
        compose_files: [../compose.yaml]
        ports: {web: PORT}
        timeouts: {start: 60, command: 60}
        """,
    "tasks.py": """\
        from stackproof.tasks import namespace
        ns = namespace()
        """,
    "owner.py": """\
        import os, sys
        from pathlib import Path
        from stackproof import lifecycle
        stack_request = lifecycle.StackRequest(root=Path.cwd(), environment=dict(os.environ))
        started = lifecycle.up(lifecycle.prepare(stack_request, print), print, hold=True)
        print("held", flush=True)
        sys.stdin.read()
        """,
}  # fmt: skip


class Project:
    """A project folder, the commands that a person types in it, and what Docker has of it.

    Args:
        folder: Where it is made.
        client: The Docker Engine that its stack runs on.
        image: An image with Python there.
        port: A free port.
        prefix: What each command is run by, such as `nsenter`.
        environment: Variables of each command, beside this process's own.
    """

    def __init__(self, folder, client, image, port, *, prefix=(), environment=None):
        self.name = f"shop-{secrets.token_hex(4)}"
        self.folder = folder
        self.client = client
        self.port = port
        self.prefix = tuple(prefix)
        self.state = folder / "state"
        self.config = f"config/{self.name}.yaml"
        given = {key: value for key, value in os.environ.items() if key not in OWN_VARIABLES}
        self.environment = {
            **given,
            **(environment or {}),
            "STACKPROOF_STATE_DIR": str(self.state),
        }
        self.run_folder = RunFolder(self.state, self.name)
        self.started = []
        values = {"STACK": self.name, "PORT": str(port), "IMAGE": image}
        for name, text in FILES.items():
            for word, value in values.items():
                text, name = text.replace(word, value), name.replace(word, value)  # noqa: PLW2901 - filled in
            self.write(name, text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def append(self, name, text):
        self.write(name, (self.folder / name).read_text() + textwrap.dedent(text))

    def replace(self, name, old, new):
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def start(self, *arguments):
        """Begin a task, in a process group of its own."""
        return self._popen([sys.executable, "-m", "invoke", *arguments])

    def hold(self, program="owner.py"):
        """Begin a program that brings the stack up and keeps its lease."""
        return self._popen([sys.executable, program])

    def _popen(self, command):
        process = subprocess.Popen(
            [*self.prefix, *command], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def invoke(self, *arguments, code=0):
        """Run a task; give back all that it says."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=240)
        assert process.returncode == code, output
        assert "Traceback" not in output
        return output

    def container(self, service):
        """The container of a service, or None."""
        labels = [
            f"com.docker.compose.project={self.name}",
            f"com.docker.compose.service={service}",
        ]
        found = self.client.containers.list(
            all=True, filters={"label": labels}, ignore_removed=True
        )
        return found[0] if found else None

    def left(self):
        """Everything of this project that there is, in words."""
        api = self.client.api
        of_project = {"label": [f"com.docker.compose.project={self.name}"]}
        of_stack = {"dangling": ["true"], "label": [f"dev.stackproof.stack={self.name}"]}
        words = [one["Names"][0] for one in api.containers(all=True, filters=of_project)]
        words += [one["Name"] for one in api.networks(filters=of_project)]
        words += [one["Name"] for one in api.volumes(filters=of_project)["Volumes"] or []]
        words += [one["Id"] for one in api.images(filters=of_stack)]
        words += [f"process {pid}: {line}" for pid, line in self._processes()]
        return words + ([str(self.state)] if self.state.exists() else [])

    def _processes(self):
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                try:
                    line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                if self.name in line or str(self.state) in line:
                    yield process.name, line

    def wait_until_nothing_is_left(self, seconds=60):
        wait_until(lambda: not self.left(), timeout=seconds, what="nothing is left")

    def reconnect(self, client):
        """Use another connection to the Docker Engine."""
        self.client.close()
        self.client = client

    def close(self):
        """End whatever a failed test has left."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=60)
        for run in find_runs(self.state):
            take_down(RunFolder(self.state, run.project), seconds=20)
        of_stack = {"label": [f"dev.stackproof.stack={self.name}"]}
        for image in self.client.images.list(filters=of_stack):
            self.client.images.remove(image.id, force=True)


@pytest.fixture(scope="session")
def engine():
    """A client of the Docker Engine; without one the tests are skipped, but never in CI."""
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        reason = f"no Docker Engine answers ({error}); {WAY}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    yield client
    client.close()


@pytest.fixture(scope="session")
def python_image():
    """An image with Python, which every service of these tests runs."""
    return os.environ.get("PYTHON_IMAGE", "python:3.11-slim")


@pytest.fixture
def free_port():
    """A port of 127.0.0.1 that is nobody else's until the test ends."""
    held = []
    (port,) = claim(1, held)
    yield port
    for one in held:
        one.close()


@pytest.fixture
def make_project(tmp_path, python_image, free_port):
    """Makes a stranger's project on a Docker Engine, the commands prefixed."""

    def make(client, prefix=(), environment=None):
        return Project(
            tmp_path, client, python_image, free_port, prefix=prefix, environment=environment
        )

    return make


@pytest.fixture
def project(engine, make_project):
    """A stranger's project: a web server with a volume, and a worker that needs it."""
    made = make_project(engine)
    yield made
    made.close()


BYSTANDER = """\
services:
  bystander:
    image: IMAGE
    init: true
    command: [python, -c, "import time; time.sleep(100000)"]
    volumes: ["kept:/data"]
volumes: {kept: {}}
"""


class Bystander:
    """Somebody else's project, brought up by Compose alone.

    Args:
        client: The Docker Engine.
        folder: Where its stack file is made.
        image: An image with Python.
    """

    def __init__(self, client, folder, image):
        self.client = client
        self.name = f"bystander-{secrets.token_hex(4)}"
        self.file = folder / "compose.yaml"
        self.file.write_text(BYSTANDER.replace("IMAGE", image))

    def compose(self, *arguments):
        command = ["docker", "compose", "-f", str(self.file), "-p", self.name, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def facts(self):
        """What must not change: its container, network and volume, and since when they are."""
        api, mine = self.client.api, {"label": [f"com.docker.compose.project={self.name}"]}
        containers = [api.inspect_container(one["Id"]) for one in api.containers(filters=mine)]
        return {
            "containers": [
                (one["Id"], one["State"]["StartedAt"], sorted(one["NetworkSettings"]["Networks"]))
                for one in containers
            ],
            "networks": [one["Id"] for one in api.networks(filters=mine)],
            "volumes": [
                (one["Name"], one["CreatedAt"]) for one in api.volumes(filters=mine)["Volumes"]
            ],
        }


@pytest.fixture(scope="session")
def bystander(engine, python_image, tmp_path_factory):
    """A project that stackproof has nothing to do with."""
    made = Bystander(engine, tmp_path_factory.mktemp("bystander"), python_image)
    try:
        made.compose("up", "--detach")
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "1")


@pytest.fixture
def bystander_unharmed(bystander):
    """After the test, somebody else's project runs as it did before."""
    before = bystander.facts()
    assert all(before.values())
    yield
    assert bystander.facts() == before


@pytest.fixture
def measured(record_property):
    """Wait until nothing is left of a project, and note how long it took."""

    def wait(project, *, since):
        project.wait_until_nothing_is_left()
        record_property(MEASURED, time.monotonic() - since)

    return wait


def pytest_terminal_summary(terminalreporter):
    """Tell how long it took until nothing was left; a measurement, not an expectation."""
    found = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == MEASURED
    ]
    if found:
        middle, most = statistics.median(found), max(found)
        line = f"{MEASURED}: median {middle:.2f}, at most {most:.2f}, of {len(found)} times"
        terminalreporter.write_line(line)
