"""Tests of the compose engine against a real Docker Engine."""

import os

import docker
import pytest
from docker.errors import DockerException

WAY = "start Docker, or `.ci/provision` as root on Debian, then `./dev nox -s docker`"


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
