"""What shows that a container is ready: Docker's own check, or whoever looks after a restart."""

import os
import signal

from stackproof.waiting import wait_until


def test_a_service_that_was_healthy_before_is_not_waited_for_again(project):
    image = project.environment.get("PYTHON_IMAGE", "python:3.11-slim")
    project.write("web/Dockerfile", f"FROM {image}\nHEALTHCHECK --interval=1s CMD true\n")
    project.replace("compose.yaml", f"  web:\n    image: {image}\n", "  web:\n    build: web\n")
    check = "healthcheck: {test: [CMD, python, /app/check.py], interval: 1s, retries: 30}"
    project.replace("compose.yaml", check, "stop_grace_period: 1s")
    project.invoke("up")
    web = project.container("web").id

    project.replace("compose.yaml", "/app/loop.py]", "/app/loop.py, again]")
    said = project.invoke("up")

    assert "changed: worker" in said
    assert project.container("web").id == web
    project.invoke("down")
    project.wait_until_nothing_is_left()


def test_a_container_that_docker_has_started_again_is_well_once_it_is_ready(project):
    project.replace("compose.yaml", "init: true", "init: true\n    restart: always")
    project.replace(
        "compose.yaml",
        "depends_on: {web: {condition: service_healthy}}",
        'x-stackproof: {ready: {log: "at work"}}',
    )
    project.invoke("up")
    assert "not well" not in project.invoke("status")
    for service in ("web", "worker"):
        os.kill(project.container(service).attrs["State"]["Pid"], signal.SIGKILL)
    wait_until(lambda: restarts(project) == [1, 1], timeout=30, what="Docker has started both")
    wait_until(lambda: is_well(project), timeout=30, what="both are well again")


def restarts(project):
    found = [project.container(service).attrs for service in ("web", "worker")]
    return [each["RestartCount"] for each in found if each["State"]["Running"]]


def is_well(project):
    process = project.start("status")
    said, _ = process.communicate(timeout=60)
    return process.returncode == 0 and "starting" not in said
