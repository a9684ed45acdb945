"""A Docker Engine that is restarted, gone, out of addresses or out of disk space, in mid-run.

The engine is the tests' own: a second daemon in namespaces of its own (network, so that it can't
touch the rules and bridges of the first; processes, so that nothing of it survives its first one;
mounts, for a small disk of its own).
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from stackproof.reaper.leftovers import read_run
from stackproof.waiting import wait_until

pytestmark = pytest.mark.usefixtures("bystander_unharmed")

NEEDED = ("dockerd", "ip", "mkfs.ext4", "mount", "nsenter", "unshare")
DISK_BYTES = 900 << 20
PREPARE = 'ip link set lo up && mount -o loop {disk} {data} && echo ready && exec {python} -c "$0"'
FIRST_PROCESS = """\
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries orphans by itself then
while True:
    signal.pause()
"""
HOLD = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class OwnEngine:
    """A Docker Engine of these tests' own, which may be broken.

    Args:
        folder: A short path, since the socket is in it.
    """

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.address = f"unix://{folder}/docker.sock"
        self.group = f"stackproof-{secrets.token_hex(4)}"
        self.log = (folder / "log").open("w")
        self.daemon = None
        self.data.mkdir()
        disk = folder / "disk"
        with disk.open("wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", disk], check=True)
        script = PREPARE.format(disk=disk, data=self.data, python=sys.executable)
        self.holder = subprocess.Popen(
            [*HOLD, "sh", "-c", script, FIRST_PROCESS], stdout=subprocess.PIPE
        )
        assert self.holder.stdout.readline() == b"ready\n"
        self.holder.stdout.close()
        self.inner = children(self.holder.pid)[0]

    def enter(self, *spaces):
        return ["nsenter", "--target", self.inner, *(f"--{one}" for one in spaces), "--"]

    def start(self):
        command = [
            "dockerd", "--data-root", str(self.data / "docker"), "--host", self.address,
            "--exec-root", str(self.folder / "exec"), "--pidfile", str(self.folder / "pid"),
            "--cgroup-parent", f"/{self.group}",
            "--default-address-pool", "base=10.231.0.0/26,size=28",
        ]  # fmt: skip
        (self.folder / "pid").unlink(missing_ok=True)  # of one that was killed
        self.daemon = subprocess.Popen(
            [*self.enter("net", "mount", "pid"), *command], stdout=self.log, stderr=self.log
        )
        wait_until(self.answers, timeout=60, what="the second Docker Engine answers")

    def answers(self):
        command = ["docker", "--host", self.address, "version"]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def connect(self):
        return docker.DockerClient(base_url=self.address, version="auto", timeout=60)

    def stop(self):
        """End the daemon in order; it stops all containers."""
        self._signal(signal.SIGTERM)

    def crash(self):
        """End the daemon with its containers left behind."""
        self._signal(signal.SIGKILL)

    def _signal(self, number):
        """Signal the daemon, which is a child of what has entered the namespaces."""
        for pid in children(self.daemon.pid):
            os.kill(int(pid), number)
        self.daemon.wait(60)

    def load(self, image):
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as save:
            subprocess.run(
                ["docker", "--host", self.address, "load"], stdin=save.stdout, check=True,
                capture_output=True,
            )  # fmt: skip

    @contextlib.contextmanager
    def full_disk(self):
        """No byte is free on the engine's disk for the time of a `with` block."""
        filler = Path(f"/proc/{self.inner}/root{self.data}/filler")
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)
        try:
            yield
        finally:
            filler.unlink()

    def close(self):
        self.holder.kill()  # which ends all in its namespace
        self.holder.wait(60)
        if self.daemon is not None:
            self.daemon.wait(60)
        self.log.close()
        wait_until(self._groups_are_gone, timeout=30, what="its control groups are empty")
        shutil.rmtree(self.folder)

    def _groups_are_gone(self):
        top = Path("/sys/fs/cgroup")
        roots = [root / self.group for root in (top, *top.iterdir())]
        for root in roots:
            for folder in sorted(root.rglob("*/"), reverse=True) if root.is_dir() else ():
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):
                root.rmdir()
        return not any(root.is_dir() for root in roots)


@pytest.fixture(scope="module")
def own_engine(engine, python_image):
    """A second Docker Engine, with the image of the stack in it."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if os.getuid() or missing:
        reason = f"a second Docker Engine needs root and {', '.join(missing or NEEDED)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path("/tmp") / f"spd-{secrets.token_hex(4)}"
    folder.mkdir()
    made = OwnEngine(folder)
    try:
        made.start()
        made.load(python_image)
        yield made
    finally:
        made.close()


@pytest.fixture
def project(own_engine, make_project):
    """The same project as elsewhere, on the tests' own engine."""
    environment = {"DOCKER_HOST": own_engine.address}
    made = make_project(own_engine.connect(), own_engine.enter("net"), environment)
    yield made
    if not own_engine.answers():
        own_engine.start()
    made.reconnect(own_engine.connect())
    made.close()
    made.client.close()


def is_clean_after(project, own_engine, command="clean"):
    """The engine is there again, and the next command removes what was left."""
    own_engine.start()
    project.reconnect(own_engine.connect())
    said = project.invoke(command)
    assert not project.left(), said
    return said


def test_a_stack_whose_engine_was_restarted_says_so_and_comes_up_again(project, own_engine):
    project.invoke("up")
    own_engine.stop()
    own_engine.start()
    project.reconnect(own_engine.connect())
    assert "not well: web, worker" in project.invoke("status", code=1)
    project.invoke("up")
    project.invoke("status")
    project.invoke("down")
    assert not project.left()


def test_what_an_engine_that_crashed_has_left_is_taken_down(project, own_engine):
    project.invoke("up")
    own_engine.crash()
    is_clean_after(project, own_engine, "down")


def test_an_engine_that_ends_while_a_stack_starts_is_told_and_nothing_is_left(project, own_engine):
    project.replace("compose.yaml", "[CMD, python, /app/check.py]", "[CMD, 'false']")
    process = project.start("up")
    wait_until(
        lambda: (found := project.container("web")) and found.status == "running",
        timeout=60, what="the first service runs",
    )  # fmt: skip
    own_engine.crash()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "ERROR the Docker Engine stopped answering" in said
    assert is_clean_after(project, own_engine)


def test_an_engine_that_ends_is_noticed_where_only_its_events_tell_of_health(
    project, own_engine, python_image
):
    """A check of the image itself is asked by the engine alone, and its news are events."""
    image = f"localhost/checked:{project.name}"  # not built by the stack, so nobody reads its file
    project.write("Dockerfile", f"FROM {python_image}\nHEALTHCHECK --interval=1h CMD true\n")
    project.client.images.build(path=str(project.folder), tag=image)
    head = "worker:\n    image: "
    project.replace("compose.yaml", head + python_image, head + image)
    process = project.start("up")
    while "waiting for worker" not in process.stdout.readline():
        assert process.poll() is None
    own_engine.crash()
    said, _ = process.communicate(timeout=50)
    assert process.returncode == 1
    assert "ERROR the Docker Engine stopped answering" in said
    assert is_clean_after(project, own_engine)


def test_an_engine_that_is_gone_is_told_by_every_command(project, own_engine):
    project.invoke("up")
    own_engine.crash()
    for command in ("status", "logs", "up", "down"):
        said = project.invoke(command, code=1)
        assert "the Docker Engine does not answer" in said
        assert "start Docker" in said
    is_clean_after(project, own_engine, "down")


def test_an_owner_that_dies_while_the_engine_is_gone_is_cleaned_up_after_later(project, own_engine):
    owner = project.hold()
    while "held" not in owner.stdout.readline():
        assert owner.poll() is None
    keepers = read_run(project.run_folder.path)
    own_engine.crash()
    owner.kill()
    wait_until(lambda: not keepers.is_alive, timeout=60, what="the reaper has given up")
    said = project.invoke("clean")
    assert "the Docker Engine does not answer" in said
    assert "stays, so that the next `invoke clean` can go on" in said
    assert f"removed what a run of {project.name}" in is_clean_after(project, own_engine)


@pytest.fixture
def no_addresses(own_engine):
    """Every address range of the engine is taken."""
    client, taken = own_engine.connect(), []
    with contextlib.suppress(APIError):
        while len(taken) < 100:
            taken.append(client.networks.create(f"taken-{secrets.token_hex(4)}"))
    yield
    for one in taken:
        one.remove()
    client.close()


def test_an_engine_without_addresses_is_told_before_anything_is_made(project, no_addresses):
    said = project.invoke("up", code=1)
    assert "ERROR Docker has no address range left for another network" in said
    assert "docker network prune" in said
    assert "are taken, 0 free, 1 needed" in said
    assert "starting" not in said
    assert not project.left()


def test_a_full_disk_is_told_and_nothing_is_left(project, own_engine):
    with own_engine.full_disk():
        said = project.invoke("up", code=1)
        assert "ERROR the Docker Engine has no disk space left" in said
        assert "docker system df" in said
        assert not project.left()


def test_a_full_disk_is_told_by_a_build_too(project, own_engine, python_image):
    project.replace("compose.yaml", f"image: {python_image}", "build: .")
    project.write("Dockerfile", f"FROM {python_image}\nRUN head -c 2000000000 /dev/zero >/big\n")
    said = project.invoke("up", code=1)
    assert "ERROR the Docker Engine has no disk space left" in said
    assert not project.left()


def test_a_stack_whose_disk_is_full_can_be_taken_down(project, own_engine):
    project.invoke("up")
    with own_engine.full_disk():
        project.invoke("down")
        assert not project.left()


def test_an_owner_that_dies_while_the_disk_is_full_leaves_nothing(project, own_engine, measured):
    owner = project.hold()
    while "held" not in owner.stdout.readline():
        assert owner.poll() is None
    with own_engine.full_disk():
        owner.kill()
        measured(project, since=time.monotonic())
