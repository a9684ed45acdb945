"""Services that can't start, can't live or won't end: a verdict in a sentence, and nothing left."""

import contextlib
import socket
import subprocess

import pytest
from docker.errors import NotFound

from stackproof.engines.compose.stopping import process_of

pytestmark = pytest.mark.usefixtures("bystander_unharmed")

BROKEN = """\
services:
  broken:
    image: IMAGE
    command: [python, -c, "CODE"]
"""


@pytest.fixture
def broken(project, python_image):
    """Adds a service to the stack that runs some Python, with further keys."""

    def add(code, **keys):
        text = BROKEN.replace("IMAGE", python_image).replace("CODE", code)
        lines = "".join(f"    {key}: {value}\n" for key, value in keys.items())
        service = (text + lines).removeprefix("services:\n")
        project.replace("compose.yaml", "volumes: {kept: {}}", service + "volumes: {kept: {}}")

    return add


def refused_up(project):
    """`up` fails, says why, and leaves nothing; gives what it said."""
    said = project.invoke("up", code=1)
    assert not project.left(), said
    return said[said.index("ERROR") :]


def test_a_service_that_ends_at_once_is_told_with_its_status_and_last_lines(project, broken):
    broken("import sys; print('no greeting today'); sys.exit(3)", healthcheck="{test: [CMD, x]}")
    said = refused_up(project)
    assert "broken exited with status 3" in said
    assert "no greeting today" in said
    assert "its whole log is " in said
    assert "/logs/broken.log" in said


def test_a_service_without_a_check_that_ends_at_once_is_told_too(project, broken):
    project.replace("compose.yaml", "[python, /app/loop.py]", "['false']")
    assert "worker exited with status 1" in refused_up(project)


def test_a_service_that_crashes_in_a_loop_is_told_as_such(project, broken):
    broken(
        "import sys; sys.exit('again')", restart="always",
        healthcheck="{test: [CMD, 'false'], interval: 60s}",
    )  # fmt: skip
    said = refused_up(project)
    assert "broken exited with status 1, 3 times in a row" in said
    assert "again" in said


def test_a_service_out_of_memory_is_told_as_such_and_how_much_it_had(project, broken):
    broken("x = bytearray(1 << 28); print(len(x))", healthcheck="{test: [CMD, x]}")
    project.append(project.config, "limits: {services: {broken: {memory: 64m}}}\n")
    said = refused_up(project)
    assert "broken was killed: out of memory" in said
    assert "its limit is 64 MiB" in said


def test_a_service_that_is_unhealthy_is_told_with_what_its_check_says(project, broken):
    broken(
        "import time; time.sleep(1000)", init="true",
        healthcheck="{test: 'echo no heart; exit 1', interval: 0.2s, retries: 3}",
    )  # fmt: skip
    said = refused_up(project)
    assert "broken was not ready" in said
    assert "no heart" in said


def test_a_program_that_is_not_in_the_image_is_told(project, python_image):
    project.replace("compose.yaml", "[python, /app/loop.py]", "[no-such-program]")
    project.replace("compose.yaml", "init: true", "init: false")
    said = refused_up(project)
    assert "worker could not be started" in said
    assert "no-such-program" in said


def test_an_image_that_cant_be_had_is_named(project, python_image):
    project.replace(
        "compose.yaml", f"worker:\n    image: {python_image}", "worker:\n    image: NONE"
    )
    project.replace("compose.yaml", "NONE", "localhost:9/no/such:1")
    said = refused_up(project)
    assert "the image localhost:9/no/such:1 of worker could not be fetched" in said
    assert "connection refused" in said


def test_a_build_that_fails_is_told_with_its_last_lines(project, python_image):
    project.replace("compose.yaml", f"image: {python_image}", "build: .")
    project.write("Dockerfile", f"FROM {python_image}\nRUN echo {project.name}; exit 7\n")
    said = refused_up(project)
    assert "exit code: 7" in said
    assert project.name in said


def test_a_port_that_another_program_has_is_told_with_its_holder(project):
    with socket.create_server(("127.0.0.1", project.port)):
        said = refused_up(project)
    assert f"web can't have port {project.port}: it is taken" in said
    assert "pytest" in said


def test_a_port_that_another_container_has_is_told_with_its_name(project, engine, python_image):
    name = f"holder-{project.name}"
    ports = {"8000/tcp": ("127.0.0.1", project.port)}
    holder = engine.containers.run(
        python_image, ["sleep", "1000"], name=name, ports=ports, detach=True, init=True
    )
    try:
        said = refused_up(project)
        assert f"web can't have port {project.port}: it is taken" in said
        assert f"container {name}" in said
        holder.reload()
        assert holder.status == "running"
    finally:
        holder.remove(force=True)


def test_a_half_failed_start_leaves_nothing_and_keeps_the_logs(project, broken):
    broken(
        "import sys; sys.exit('the third')", depends_on="{worker: {condition: service_started}}",
        healthcheck="{test: [CMD, x]}",
    )  # fmt: skip
    project.invoke("up", code=1)
    assert not project.left()
    logs = project.folder / ".artifacts" / "up" / "latest" / "logs"
    assert "the third" in (logs / "broken.log").read_text()
    assert (logs / "worker.log").exists()


def test_a_paused_container_is_taken_down(project):
    project.invoke("up")
    project.container("web").pause()
    project.invoke("down")
    assert not project.left()


def test_a_paused_container_does_not_outlive_its_owner(project):
    owner = project.hold()
    while "held" not in owner.stdout.readline():
        assert owner.poll() is None
    project.container("web").pause()
    owner.kill()
    project.wait_until_nothing_is_left()


def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(project, broken):
    broken(
        "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)",
        stop_grace_period="1s",
    )
    project.invoke("up")
    project.invoke("down")
    assert not project.left()


def test_a_container_that_ignores_sigterm_does_not_outlive_its_owner(project, broken):
    broken(
        "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)",
        stop_grace_period="60s",
    )
    owner = project.hold()
    while "held" not in owner.stdout.readline():
        assert owner.poll() is None
    owner.kill()
    project.wait_until_nothing_is_left(seconds=50)


def test_a_container_removed_by_hand_is_told_and_up_makes_it_again(project):
    project.invoke("up")
    project.container("web").remove(force=True)
    said = project.invoke("status", code=1)
    assert "its container was removed" in said
    project.invoke("up")
    project.invoke("status")
    project.invoke("down")
    assert not project.left()


def test_what_remains_of_a_container_removed_by_hand_is_taken_down(project):
    project.invoke("up")
    project.container("worker").remove(force=True)
    project.invoke("down")
    assert not project.left()


@pytest.fixture
def guest(project, engine, python_image):
    """Somebody's own container in the stack's network."""
    project.invoke("up")
    made = engine.containers.run(
        python_image, ["sleep", "1000"], network=f"{project.name}_default",
        name=f"guest-{project.name}", detach=True, init=True,
    )  # fmt: skip
    yield made
    with contextlib.suppress(NotFound):  # the test has removed it
        made.remove(force=True)


def test_a_network_that_somebody_else_uses_is_named_and_left_until_it_is_free(project, guest):
    said = project.invoke("down", code=1)
    assert "not everything could be taken down" in said
    assert f"network {project.name}_default" in said
    assert guest.name in said
    assert project.left() == [f"{project.name}_default", str(project.state)]
    guest.reload()
    assert guest.status == "running"
    said = project.invoke("clean")
    assert f"network {project.name}_default" in said
    guest.remove(force=True)
    assert f"removed what a run of {project.name} had left" in project.invoke("clean")
    assert not project.left()


def test_a_stack_is_not_started_over_what_somebody_else_has_under_its_name(project, engine):
    made = ["docker", "compose", "--project-name", project.name, "up", "--detach", "worker", "web"]
    subprocess.run(made, cwd=project.folder, check=True, capture_output=True)
    try:
        said = project.invoke("up", code=1)
        assert "another project that is called" in said
        assert project.container("web").status == "running"
    finally:
        subprocess.run(
            ["docker", "compose", "--project-name", project.name, "down", "-v", "-t", "1"],
            cwd=project.folder, check=True, capture_output=True,
        )  # fmt: skip


def test_a_killed_process_is_the_containers_own_where_the_engine_runs_here(project):
    project.invoke("up")
    found = project.container("web").attrs
    assert process_of(found).pid == found["State"]["Pid"]
    project.invoke("down")
