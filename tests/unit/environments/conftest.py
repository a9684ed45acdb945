"""A runner that runs steps at once, and one project with a small lock."""

import subprocess

import pytest

from stackproof.errors import CommandFailed
from stackproof.plan.runtime import Install, Runtime


class PlainRunner:
    """Runs each step as a child of the test, and remembers it."""

    def __init__(self):
        self.steps = []

    def __call__(self, step):
        self.steps.append(step)
        done = subprocess.run(
            step.argv,
            env=self.environment(step),
            cwd=step.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(step.name, exit_code=done.returncode, output=done.stderr)

    @staticmethod
    def environment(step):
        import os

        kept = ("HOME", "SSL_CERT_FILE", "UV_CACHE_DIR", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "PATH")
        return {**{name: os.environ[name] for name in kept if name in os.environ}, **step.env}


@pytest.fixture
def runner():
    return PlainRunner()


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


@pytest.fixture
def lock(project):
    path = project / "requirements.txt"
    path.write_text("")
    return path


@pytest.fixture
def runtime(project, lock):
    return Runtime("project", project=project, installs=(from_file(lock),))


def from_file(path, **values):
    """The installation of a requirement file."""
    return Install("pip", path.name, files=(path,), **values)
