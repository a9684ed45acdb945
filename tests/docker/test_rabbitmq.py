"""A broker in a container: asked from outside, and its data fit each copy of the stack."""

import os
import subprocess
import sys

import pytest
from tests.broker_project import FILES, SEED


@pytest.fixture
def broker(project):
    for name, text in FILES.items():
        project.write(name, text)
    images = {name: os.environ[name] for name in ("RABBITMQ_IMAGE",) if name in os.environ}
    project.replace(project.config, f"ports: {{web: {project.port}}}\n", SEED)
    project.append(project.config, f"variables: {images}\n")
    project.environment["STACKPROOF_CACHE_DIR"] = str(project.folder / "cache")
    yield project
    project.invoke("snapshots", "--clear")


def test_each_stack_has_a_broker_of_its_own_with_the_seeded_data(broker):
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        argv, cwd=broker.folder, env=broker.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout
