"""A stack that somebody wrote without stackproof in mind, and what its team does with it."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.port_claims import claim
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

HERE = Path(__file__).parent
SECONDS = 300
OF_DOCKER = 125
"""The first exit status of `docker run` that is not its command's."""

IMAGES = {
    "python:3.11-slim": "PYTHON_IMAGE",
    "postgres:16": "POSTGRES_IMAGE",
    "redis:alpine": "REDIS_IMAGE",
    "redis:7": "REDIS_IMAGE",
    "rabbitmq:3": "RABBITMQ_IMAGE",
}
"""Which variable has the image to take where no registry can be reached."""


_OF_INDEXES = re.compile(
    r"(?i:https?_proxy|no_proxy|npm_config_\w+|(?:pip|uv)_(?!cache)\w+|ssl_cert_file|pytest_addopts)$"
)
"""What leads this machine's users to packages, and leaves out plugins that no test here uses."""

_ASK = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=60).read().decode())"

_IMAGE = re.compile("|".join(map(re.escape, IMAGES)))


def _available(written):
    return os.environ.get(IMAGES[written[0]], written[0])


@dataclass(frozen=True)
class Need:
    """What a stack needs of an image, which a replacement of it may lack.

    Attributes:
        image: The image, as the stack names it.
        what: In words.
        test: What a shell in a container finds out about it.
    """

    image: str
    what: str
    test: str

    @property
    def lacks(self) -> str:
        """Why the image that this machine takes does not do; empty where it does."""
        image = os.environ.get(IMAGES[self.image], self.image)
        command = ["docker", "run", "--rm", "--entrypoint", "sh", image, "-c", self.test]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode < OF_DOCKER, done.stderr
        if done.returncode:
            return f"{image} lacks {self.what}; {IMAGES[self.image]} names an image that has it"
        return ""


@dataclass(frozen=True)
class Kind:
    """One of the stacks.

    Attributes:
        name: Its folder.
        answers: A service, a path, and what its answer has in it.
        published: Services with a port of this machine.
        needs_images: Whether it runs images that only a registry has.
        need: What it needs of an image that another one may stand for; None for nothing special.
    """

    name: str
    answers: tuple[str, str, str]
    published: tuple[str, ...]
    needs_images: bool = False
    need: Need | None = None


UUIDS = Need("postgres:16", "the extension uuid-ossp", "find / -name uuid-ossp.control | grep -q .")
FILES = Need(
    "postgres:16",
    "POSTGRES_PASSWORD_FILE",
    'grep -q "file_env\\|PASSWORD_FILE" "$(command -v docker-entrypoint.sh)"',
)

KINDS = [
    Kind("hard-coded-peers", ("shop", "/", '{"bread":310,"milk":120}'), ("shop",)),
    Kind("one-port-twice", ("left", "/", "left and right"), ("left", "right")),
    Kind("nginx-in-front", ("proxy", "/api/notes", "buy milk"), ("proxy",), needs_images=True),
    Kind("django-postgres", ("web", "/", '{"titles": ["Emma"]}'), ("web",), need=UUIDS),
    Kind("flask-redis", ("web", "/", "I have been seen"), ("web",)),
    Kind("celery-rabbitmq", ("api", "/shout/hello", '{"text":"HELLO"}'), ("api",)),
    Kind(
        "secrets-by-file", ("wiki", "/", "wiki knows a token of 20 letters"), ("wiki",), need=FILES
    ),
    Kind("entrypoint-migrates", ("api", "/", "write tests"), ("api",)),
    Kind("node-mariadb", ("app", "/", "water the plants"), ("app",), needs_images=True),
    Kind("php-mariadb", ("web", "/", "Guests: Ada"), ("web",), needs_images=True),
    Kind("go-counter", ("counter", "/", "visit number"), ("counter",), needs_images=True),
    Kind(
        "front-end-built",
        ("frontend", "/main.js", "Words of the day"),
        ("frontend",),
        needs_images=True,
    ),
]
BY_NAME = {kind.name: kind for kind in KINDS}


class Stranger:
    """A copy of a stack's repository, and the commands that are typed in it.

    Args:
        kind: Which one.
        folder: Where the copy is made.
        outer: A folder for the state of runs, which others can pass through.
        user: Another user that types them (`tests.other_users.OtherUser`); None for this one.
        environment: Further variables.
        repository: A repository that another copy of the stack runs from, too; None to copy one.
    """

    def __init__(self, kind, folder, outer, *, user=None, environment=None, repository=None):
        self.kind = kind
        self.folder = repository or folder / kind.name
        self.state = outer / "state"
        self.user = user
        self._held = []
        if repository is None:
            shutil.copytree(HERE / kind.name, self.folder)
        ports = claim(len(kind.published), self._held)
        self.ports = dict(zip(kind.published, ports, strict=True))
        own = {
            "STACKPROOF_STATE_DIR": str(self.state),
            "STACKPROOF_PROJECT": f"{kind.name}-{secrets.token_hex(3)}",
            **{f"STACKPROOF_PORT_{name.upper()}": str(at) for name, at in self.ports.items()},
            **(environment or {}),
        }
        if user is None:
            self.environment = {**os.environ, **own}
        else:
            for path in (folder, outer):
                user.owns(path)
            given = {name: value for name, value in os.environ.items() if _OF_INDEXES.match(name)}
            self.environment = {**given, **own, "PYTHONPATH": user.import_path()}

    def use_available_images(self):
        """Name the images that this machine has, where it reaches no registry."""
        for path in self.folder.rglob("*"):
            if path.name == "Dockerfile" or path.suffix in {".yml", ".yaml"}:
                text = path.read_text()
                path.write_text(_IMAGE.sub(_available, text))

    def run(self, *argv, code=0):
        """Run a program of Python's to its end; give back all that it says."""
        options = {"cwd": self.folder, "timeout": SECONDS}
        if self.user is not None:
            done = self.user.python(
                "import runpy, sys; sys.argv = sys.argv[1:];"
                "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)",
                *argv, environment=self.environment, **options,
            )  # fmt: skip
        else:
            done = subprocess.run(
                [sys.executable, "-m", *argv], env=self.environment, text=True, check=False,
                capture_output=True, **options,
            )  # fmt: skip
        told = done.stdout + done.stderr
        assert done.returncode == code, told
        assert "Traceback" not in told
        return told

    def init(self):
        """Prepare the repository."""
        self.run("stackproof.tasks.command_line", "init", "--yes")

    def adopt(self):
        """From the repository to its first green test; seconds until then."""
        begun = time.monotonic()
        self.init()
        told = self.run("invoke", "up", "test", "integration")
        seconds = time.monotonic() - begun
        assert " passed" in told, told
        return seconds

    def answer(self):
        """What the service that people use answers."""
        service, path, _ = self.kind.answers
        address = f"http://127.0.0.1:{self.ports[service]}{path}"
        if self.user is not None:  # nobody else is let in, root included
            return self.user.python(_ASK, address).stdout
        with urllib.request.urlopen(address, timeout=60) as found:
            return found.read().decode()

    def answers_as_ever(self):
        """Whether it answers, now or within a minute, what its team expects."""
        expected, told = self.kind.answers[2], []

        def answers():
            with suppress(URLError, ConnectionError):
                told[:] = [self.answer()]
            return expected in "".join(told)

        wait_until(answers, timeout=60, what=f"{expected!r} is answered; last: {told}")

    def end(self):
        """Take down what a failed test has left; what another user has ends with that user."""
        try:
            for run in () if self.user else find_runs(self.state):
                take_down(RunFolder(self.state, run.project), seconds=20)
        finally:
            for one in self._held:
                one.close()
