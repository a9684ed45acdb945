"""Stacks of tests' own on a Docker Engine: they do not meet, and a killed worker leaves nothing."""

import json
import re
import subprocess
import sys

import pytest

from stackproof.engines.compose.inventory import left_in_docker
from stackproof.reaper.leftovers import read_run
from stackproof.waiting import wait_until

pytestmark = pytest.mark.usefixtures("bystander_unharmed")

BEGINNING = """\
import os, pathlib, time, urllib.request
import pytest

HERE = pathlib.Path(os.environ["OUTER"])
ALL = ["first", "second"]

def wait_for(name):
    while not (HERE / name).exists():
        assert not (HERE / "over").exists()
        time.sleep(0.01)

def meet(point, me):
    '''Wait until all tests have come so far.'''
    (HERE / f"{point} {me}").touch()
    for other in ALL:
        wait_for(f"{point} {other}")

def sh(stack, command):
    done = stack.service("web").exec(["sh", "-c", command])
    return done.exit_code, (done.stdout + done.stderr).strip()

@pytest.fixture(autouse=True)
def nobody_waits_for_a_failed_one():
    yield
    (HERE / "over").touch()
"""

WORST = """
@pytest.mark.stack(isolation="test", limits={"web": {"cpus": 0.4}})
@pytest.mark.parametrize("me", ALL)
def test_does_its_worst(stack, me):
    assert sh(stack, f"set -C; echo {me} > /data/same && echo {me} > /tmp/same") == (0, "")
    meet("written", me)
    assert sh(stack, "cat /data/same /tmp/same") == (0, f"{me}\\n{me}")
    if me == "first":
        assert "No space left" in sh(stack, "cat /dev/zero > /scratch/all")[1]
        assert sh(stack, "rm -r /data/*; timeout 2 sh -c 'while :; do :; done'")[0] == 124
        stack.service("worker").kill()
    meet("destroyed", me)
    if me == "second":
        assert sh(stack, "cat /data/same; echo mine > /scratch/mine") == (0, me)
        with urllib.request.urlopen(stack.url("web"), timeout=30) as answer:
            assert answer.status == 200
        assert all(one.is_well and not one.restarts for one in stack.running.status())
    meet("seen", me)
"""

CRASH = """
@pytest.mark.stack(isolation="test")
@pytest.mark.parametrize("me", ALL)
def test_worker(stack, me):
    (HERE / me).write_text(stack.plan.project)
    (HERE / me).rename(HERE / f"{me} is up")
    for other in ALL:
        wait_for(f"{other} is up")
    if me == "first":
        os.kill(os.getpid(), 9)
    runs = stack.plan.run_folder.parent
    while (runs / (HERE / "first is up").read_text()).exists():
        time.sleep(0.05)
    assert all(one.is_well for one in stack.running.status())
"""


def run(project, text, *, code, workers=2):
    project.replace("compose.yaml", "init: true", 'init: true\n    tmpfs: ["/scratch:size=1m"]')
    project.write("tests/own/test_own.py", BEGINNING + text)
    project.write("pytest.ini", "[pytest]\n")
    environment = {**project.environment, "OUTER": str(project.folder)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/own",
         "-n", str(workers)],
        cwd=project.folder, env=environment, text=True, check=False, timeout=300,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    return done.stdout


def of_stack(project):
    """What Docker has of any copy of the project's stack."""
    api, mine = project.client.api, {"label": [f"dev.stackproof.stack={project.name}"]}
    words = [one["Names"][0] for one in api.containers(all=True, filters=mine)]
    words += [one["Name"] for one in api.networks(filters=mine)]
    return words + [one["Name"] for one in api.volumes(filters=mine)["Volumes"] or []]


def test_whatever_a_test_does_to_its_stack_no_other_one_sees(project):
    assert "2 passed" in run(project, WORST, code=0)
    assert of_stack(project) == []


def test_the_stack_of_a_killed_worker_goes_while_the_other_one_goes_on(project):
    said = run(project, CRASH, code=1)
    victim = (project.folder / "first is up").read_text()
    assert "1 failed, 1 passed" in said
    [line] = [line for line in said.splitlines() if "crashed; nothing is left of its" in line]
    assert victim in line
    wait_until(lambda: not of_stack(project), timeout=30, what="nothing is left in Docker")


def test_what_a_run_has_in_docker_is_told_by_name_and_of_other_runs_nothing(project):
    project.invoke("up")
    run_id = read_run(project.run_folder.path).run_id
    told = left_in_docker([run_id], [project.name], project.environment)
    assert sorted(told) == [
        f"container {project.container('web').name} of {project.name}",
        f"container {project.container('worker').name} of {project.name}",
        f"network {project.name}_default of {project.name}",
        f"volume {project.name}_kept of {project.name}",
    ]
    assert left_in_docker(["another"], ["another"], project.environment) == []
    project.invoke("down")
    assert left_in_docker([run_id], [project.name], project.environment) == []


SEEN = """
import json, docker

def in_docker():
    api, mine = docker.from_env().api, {"label": ["dev.stackproof.stack=STACK"]}
    ids = [one["Id"] for one in api.containers(all=True, filters=mine)]
    containers = [api.inspect_container(one) for one in ids]
    return {
        "containers": {
            one["Config"]["Labels"]["com.docker.compose.service"]: {
                "project": one["Config"]["Labels"]["com.docker.compose.project"],
                "limits": [one["HostConfig"]["NanoCpus"], one["HostConfig"]["Memory"]],
                "networks": list(one["NetworkSettings"]["Networks"]),
            } for one in containers
        },
        "networks": [one["Name"] for one in api.networks(filters=mine)],
        "volumes": [mount["Name"] for one in containers for mount in one["Mounts"]
                    if mount["Type"] == "volume"],
    }

@pytest.mark.stack(isolation="test")
def test_sees_its_stack(stack):
    (HERE / "during.json").write_text(json.dumps(in_docker()))
    (HERE / "project").write_text(stack.plan.project)
    assert sh(stack, "echo mine > /uploads/of-a-test") == (0, "")
    assert False, "as it was asked to"
"""


def test_a_test_has_one_project_network_and_volume_of_which_a_failure_leaves_the_logs_alone(
    project,
):
    project.append(project.config, "limits: {cpus: 1, memory: 1g}\n")
    project.replace("compose.yaml", '"kept:/data"', '"kept:/data", "./uploads:/uploads"')
    project.write("uploads/of-the-host", "as it was")
    assert of_stack(project) == []
    said = run(project, SEEN.replace("STACK", project.name), code=1, workers=0)

    name = (project.folder / "project").read_text()
    assert re.fullmatch(rf"{project.name}-[0-9a-f]+", name)
    limited = {"project": name, "limits": [10**9, 1 << 30], "networks": [f"{name}_default"]}
    during = json.loads((project.folder / "during.json").read_text())
    assert during["containers"] == {"web": limited, "worker": limited}
    assert during["networks"] == [f"{name}_default"]
    [volume] = during["volumes"]
    assert volume.startswith(f"{name}_copy-")
    assert of_stack(project) == []
    assert volume not in {one.id for one in project.client.volumes.list()}
    assert [path.name for path in (project.folder / "uploads").iterdir()] == ["of-the-host"]
    logs = {path.name for path in (project.folder / ".artifacts").rglob("*.log")}
    assert {"web.log", "worker.log"} <= logs, said
