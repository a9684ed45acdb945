"""A Python service on the process engine, from its Dockerfile to what is kept of it."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from stackproof import lifecycle
from stackproof.artifacts.forensics import collect
from stackproof.artifacts.run import RunArtifacts
from stackproof_redaction import Redactor

FILES = {
    "config/shop.yaml": "stack: shop\nproject: shop-e2e\ncompose_files: [../compose.yaml]\n",
    "compose.yaml": """\
        services:
          api:
            build: {context: ., args: {PYTHON_VERSION: "VERSION"}}
            x-stackproof: {ready: {log: "^ready"}}
        """,
    "Dockerfile": """\
        ARG PYTHON_VERSION=3.2
        FROM python:${PYTHON_VERSION}-slim AS base
        WORKDIR /app
        COPY deploy/*.txt /tmp/
        RUN apt-get install -y libpq5 && pip install -r /tmp/requirements.txt
        FROM base
        COPY . .
        RUN pip install .
        CMD ["shop"]
        """,
    "deploy/requirements.txt": "iniconfig<3\n",
    "pyproject.toml": """\
        [project]
        name = "acme-shop"
        version = "4.5.6"
        dependencies = ["six==1.17.0"]
        scripts = {shop = "shop:main"}
        """,
    "src/shop.py": """\
        import sys, time
        from importlib.metadata import version
        import iniconfig, six
        def main():
            print("ready", *sys.version_info[:2], version("acme-shop"), __file__, flush=True)
            time.sleep(1000)
        """,
}


def another_version():
    """A version of Python that this machine has and that does not run the tests, else that one."""
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    for minor in range(14, 9, -1):
        found = shutil.which(f"python3.{minor}")
        if found is None or minor == sys.version_info.minor:
            continue
        done = subprocess.run([found, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == f"3.{minor}":
            return f"3.{minor}"
    return f"3.{sys.version_info.minor}"


@pytest.fixture
def stack(tmp_path):
    folder = tmp_path / "shop"
    version = another_version()
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).replace('VERSION"', f'{version}"'))
    environment = {
        **os.environ,
        "STACKPROOF_STATE_DIR": str(tmp_path / "state"),
        "STACKPROOF_CACHE_DIR": str(tmp_path / "cache"),
    }
    request = lifecycle.StackRequest(root=folder, environment=environment)
    said = []
    started = lifecycle.up(lifecycle.prepare(request, said.append), said.append)
    yield started.stack, version, said
    lifecycle.down(lifecycle.prepare(request, said.append), said.append, force=True)


def test_it_has_the_version_the_packages_and_the_project_that_its_dockerfile_installs(
    stack, tmp_path
):
    started, version, said = stack
    (line,) = [line.text for line in started.running.logs() if line.text.startswith("ready")]
    folder = {"private": "/app", "host": tmp_path / "shop"}[started.plan.world]
    assert line == f"ready {version.replace('.', ' ')} 4.5.6 {folder}/src/shop.py"
    told = "\n".join(said)
    assert "api: not done here from its Dockerfile: system packages libpq5" in told
    assert "api: not locked: no file pins iniconfig; " in told
    artifacts = RunArtifacts(tmp_path / "artifacts", Redactor(()))
    collect(started, artifacts)
    kept = (tmp_path / "artifacts" / "python" / "api.txt").read_text().split()
    assert {"six==1.17.0", "pip"} <= {*kept, *(line.partition("==")[0] for line in kept)}
    assert not list((tmp_path / "shop").rglob("*.egg-info"))
