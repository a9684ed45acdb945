"""One round of a peer, in the peers' own environment: a migrated and seeded stack, and its end.

python peer_round.py PEER MODEL PROJECT, where PEER is one of testcontainers, pytest-docker and
compose; prints the seconds of `up` and `down` as JSON. Knows nothing of stackproof.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

COMMANDS = (("alembic", "upgrade", "head"), ("python", "-m", "runs.seed"))


@contextmanager
def testcontainers(model, project):
    from testcontainers.compose import DockerCompose

    os.environ["COMPOSE_PROJECT_NAME"] = project
    with DockerCompose(str(model.parent), compose_file_name=model.name, wait=True):
        yield


@contextmanager
def pytest_docker(model, project):
    from pytest_docker.plugin import get_docker_services

    setup, cleanup = ["up --build -d --wait"], ["down -v"]
    with get_docker_services("docker compose", str(model), project, setup, cleanup):
        yield


@contextmanager
def compose(model, project):
    command = ["docker", "compose", "--file", str(model), "--project-name", project]
    try:
        subprocess.run([*command, "up", "--detach", "--wait"], check=True, capture_output=True)
        yield
    finally:
        subprocess.run([*command, "down", "--volumes"], check=True, capture_output=True)


PEERS = {"testcontainers": testcontainers, "pytest-docker": pytest_docker, "compose": compose}


def wait_for_worker(project):
    command = ["docker", "logs", f"{project}-worker-1"]
    while b" ready." not in subprocess.run(command, capture_output=True, check=True).stderr:
        time.sleep(0.05)


def main():
    peer, model, project = PEERS[sys.argv[1]], Path(sys.argv[2]), sys.argv[3]
    began = time.monotonic()
    with peer(model, project):
        wait_for_worker(project)
        for command in COMMANDS:
            subprocess.run(
                ["docker", "exec", f"{project}-api-1", *command], check=True, capture_output=True
            )
        up = time.monotonic() - began
        began = time.monotonic()
    down = time.monotonic() - began
    print(json.dumps({"up": up, "down": down}))


if __name__ == "__main__":
    main()
