"""What keeps a stack apart, as the Docker Engine itself tells it."""

import socket
import struct
import time
import urllib.request
from pathlib import Path

import pytest

from stackproof.reaper.leftovers import read_run

pytestmark = pytest.mark.usefixtures("bystander_unharmed")

LEAVE = """\
import socket, sys
for port in (53, 80, 443):
    try:
        socket.create_connection((sys.argv[1], port), timeout=3).close()
    except ConnectionRefusedError:
        print("reached: it refused")
    except OSError as error:
        print("not reached:", error)
    else:
        print("reached")
"""


@pytest.fixture
def up(project):
    project.invoke("up")
    yield project
    project.invoke("down")


def limits(project, service):
    host = project.container(service).attrs["HostConfig"]
    return host["NanoCpus"], host["Memory"]


def test_a_service_has_one_processor_and_one_gibibyte_by_default(up):
    assert limits(up, "web") == (1_000_000_000, 1 << 30)
    assert limits(up, "worker") == (1_000_000_000, 1 << 30)


def test_limits_are_settings_of_all_services_and_of_one(project):
    project.append(
        project.config, "limits: {cpus: 0.5, memory: 256m, services: {worker: {memory: 128m}}}\n"
    )
    project.invoke("up")
    assert limits(project, "web") == (500_000_000, 256 << 20)
    assert limits(project, "worker") == (500_000_000, 128 << 20)
    project.invoke("down")


def test_containers_networks_and_volumes_tell_run_owner_stack_and_project(up):
    expected = {
        "dev.stackproof.run": read_run(up.run_folder.path).run_id,
        "dev.stackproof.project": up.name,
        "dev.stackproof.stack": up.name,
    }
    api = up.client.api
    labels = [
        *(up.container(service).labels for service in ("web", "worker")),
        api.inspect_network(f"{up.name}_default")["Labels"],
        api.inspect_volume(f"{up.name}_kept")["Labels"],
    ]
    for found in labels:
        assert expected.items() <= found.items()
        assert "@" in found["dev.stackproof.owner"]


def test_ports_are_published_to_this_machine_only(up):
    ports = up.container("web").attrs["NetworkSettings"]["Ports"]
    assert ports == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(up.port)}]}


def test_the_temporary_folder_of_a_container_is_its_own(up):
    code, _ = up.container("web").exec_run(["touch", "/tmp/mine"])
    assert code == 0
    assert up.container("worker").exec_run(["ls", "/tmp/mine"]).exit_code != 0


def leaves(project):
    """Whether a container of the stack reaches the next machine on the way to the world."""
    code, output = project.container("worker").exec_run(["python", "-c", LEAVE, next_machine()])
    assert code == 0, output
    return any(line.startswith(b"reached") for line in output.splitlines())


def next_machine():
    """The default gateway of this machine."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        _, target, gateway, *_ = line.split()
        if int(target, 16) == 0:
            return socket.inet_ntoa(struct.pack("<I", int(gateway, 16)))
    return pytest.skip("this machine has no way out itself")


def test_a_hermetic_stack_has_no_way_out_and_its_ports_answer(project):
    project.invoke("up")
    if not leaves(project):
        pytest.skip("the next machine answers nobody, so there is nothing to compare with")
    project.invoke("down")
    project.append(project.config, "hermetic: true\n")
    project.invoke("up")
    assert not leaves(project)
    for _ in range(3):
        with urllib.request.urlopen(f"http://127.0.0.1:{project.port}/", timeout=30) as answer:
            assert answer.status == 200
    project.invoke("down")
    assert not project.left()


def test_a_hermetic_stack_does_not_outlive_its_owner(project, measured):
    project.append(project.config, "hermetic: true\n")
    owner = project.hold()
    while "held" not in owner.stdout.readline():
        assert owner.poll() is None
    owner.kill()
    measured(project, since=time.monotonic())
