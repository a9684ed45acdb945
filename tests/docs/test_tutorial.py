"""The tutorial works as it is written, in an empty folder, with the wheel that users install."""

import os
import re
import subprocess

from tests.docs.pages import blocks, commands

PAGE = "docs/tutorial/your-own-compose-file.md"
LANGUAGES = ("console", "dockerfile", "python", "text", "yaml")
NAME = re.compile(r"# (\S+)\n")


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
            elif block.text.startswith("stack:"):
                made = (project / "config" / "shop.yaml").read_text()
                assert without_ports(block.text) in without_ports(made), made
            elif NAME.match(block.text):
                path = project / NAME.match(block.text)[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text.partition("\n")[2])
    finally:
        subprocess.run(["invoke", "down", "--force"], cwd=project, env=environment, check=False)
    assert list((project / ".artifacts/integration/latest").iterdir())


def without_ports(text):
    """A config without the ports of this machine, which are others where somebody has these."""
    return re.sub(r"\d{5}", "…", text)


def step(command, project, environment):
    done = subprocess.run(
        command, shell=True, cwd=project, env=environment, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-5000:]}"
    print(f"$ {command}\n{done.stdout[-600:]}")
