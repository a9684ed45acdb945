"""A runner that runs steps at once, and services as a plan has them."""

import contextlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stackproof.errors import CommandFailed
from stackproof.plan.model import Endpoint, ServicePlan
from stackproof.reaper.port_claims import claim
from stackproof.reaper.run_folder import RunFolder


class PlainRunner:
    """Runs each step as a child of the test, and remembers its name."""

    def __init__(self):
        self.names = []

    def __call__(self, step):
        self.names.append(step.name)
        done = subprocess.run(
            step.argv,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", **step.env},
            cwd=step.cwd,
            user=step.uid,
            group=step.uid,
            extra_groups=None if step.uid is None else [],
            input=step.stdin,
            stdin=subprocess.DEVNULL if step.stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(step.name, exit_code=done.returncode, output=done.stdout)


@pytest.fixture
def runner():
    return PlainRunner()


@pytest.fixture(scope="session")
def open_folder():
    """A temporary folder that every user can pass through, as run and cache folders are.

    Not one of pytest's: those are private, and each new session of pytest makes them so again.
    """
    with tempfile.TemporaryDirectory(prefix="stackproof-open-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def run(open_folder, request):
    name = request.node.name[:20].lower().rstrip("_")
    made = RunFolder(open_folder, f"{name}-{secrets.token_hex(3)}")
    made.path.mkdir(parents=True, exist_ok=True)
    return made


def planned(name, port, argv=(), environment=None, mounts=None):
    """A service of a known image."""
    return ServicePlan(
        name=name,
        argv=tuple(argv),
        environment=environment or {},
        endpoints=(Endpoint(name, port, "127.0.0.1", port),),
        mounts=mounts or {},
    )


@pytest.fixture
def free_port():
    """Gives ports that nobody else gets until the test ends."""
    held = []
    yield lambda: claim(1, held)[0]
    for one in held:
        one.close()


@pytest.fixture
def plan_service():
    return planned


@contextlib.contextmanager
def guarded(launch, port):
    """The guard of a server's port, as the supervisor starts it."""
    uid = [] if launch.uid is None else [str(launch.uid)]
    program = [sys.executable, "-m", "stackproof.engines.process.guard", launch.socket.name, *uid]
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        guard = subprocess.Popen(program, stdin=bound.fileno(), cwd=launch.socket.parent)
    try:
        yield
    finally:
        guard.kill()
        guard.wait()


@contextlib.contextmanager
def started(launch, port):
    """A server that is running, and its guard; both are ended at once afterwards."""
    server = subprocess.Popen(
        launch.argv,
        env={"PATH": "/usr/bin:/bin", **launch.env},
        cwd=launch.cwd,
        user=launch.uid,
        group=launch.uid,
        extra_groups=None if launch.uid is None else [],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with guarded(launch, port) if launch.socket else contextlib.nullcontext():
            yield server
    finally:
        is_postgres = Path(launch.argv[0]).name == "postgres"
        server.send_signal(signal.SIGQUIT if is_postgres else signal.SIGKILL)  # both: at once
        server.wait(10)
