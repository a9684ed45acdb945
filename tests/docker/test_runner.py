"""A project's sessions in a container, on the host's engine or its own; nothing outlives it."""

import contextlib
import os
import pty
import re
import secrets
import signal
import subprocess
from pathlib import Path

import pytest

from stackproof.waiting import wait_until

ROOT = Path(__file__).parents[2]
SOCKET = "/var/run/docker.sock"
STATES = "/var/lib/stackproof-runner"
LABEL = "dev.stackproof.runner"
HOSTS_ENGINE = ["-v", f"{SOCKET}:{SOCKET}"]
MAY_MOUNT = ["--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN", "--security-opt=seccomp=unconfined",
             "--security-opt=apparmor=unconfined"]  # fmt: skip

NOXFILE = """\
from pathlib import Path
from stackproof.sessions import Project, define_sessions
define_sessions(Project(root=Path(__file__).parent, packages=()))
"""

TESTS = """\
import os, pathlib, time, urllib.request
import pytest

@pytest.mark.e2e
@pytest.mark.stack(isolation="test")
def test_reaches_its_stack(stack):
    with urllib.request.urlopen(stack.url("web"), timeout=30) as answer:
        assert answer.status == 200
    assert stack.service("web").exec(["python", "-c", "1"]).exit_code == 0
    pathlib.Path("draft").write_text(stack.plan.project)
    os.replace("draft", "project")
    while True:
        time.sleep(0.05)
"""


@pytest.fixture(scope="session")
def runner_image(engine, python_image):
    """The image of tests/runner/Dockerfile."""
    name, file = "localhost/stackproof-runner", ROOT / "tests/runner/Dockerfile"
    command = ["docker", "build", "--quiet", f"--build-arg=PYTHON_IMAGE={python_image}",
               f"--file={file}", f"--tag={name}", str(ROOT)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return name


@pytest.fixture(scope="session")
def own_engine(engine, python_image):
    """Options by which this machine lets a container have a Docker Engine of its own."""
    refusals = []
    for options in (["--privileged"], MAY_MOUNT):
        command = [
            "docker",
            "run",
            "--rm",
            *options,
            python_image,
            "mount",
            "-t",
            "tmpfs",
            "x",
            "/mnt",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return options
        refusals.append(f"{' '.join(options)}: {done.stderr.strip()}")
    return pytest.skip("no container may mount on this machine; " + "; ".join(refusals))


@pytest.fixture
def runner(project, runner_image):
    """Starts a session of the project in a container, as a person types it."""
    project.write("noxfile.py", NOXFILE)
    project.write("tests/e2e/test_shop.py", TESTS)
    name = f"runner-{secrets.token_hex(4)}"
    started = []

    def start(*words, options=(), engine=HOSTS_ENGINE, **streams):
        command = ["docker", "run", "--rm", "--name", name, *engine,
                   "-v", f"{project.folder}:{project.folder}", "-w", str(project.folder),
                   *options, runner_image, *words]  # fmt: skip
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, text=True, **{**piped, **streams})
        started.append(process)
        return process

    start.container = name
    yield start
    subprocess.run(["docker", "rm", "-f", "-v", name], capture_output=True, check=False)
    for process in started:
        process.communicate(timeout=120)


def of_runner(project):
    """What Docker has of the project's stacks, and the second containers of its runners."""
    api, mine = project.client.api, {"label": [f"dev.stackproof.stack={project.name}"]}
    found = [one["Names"][0] for one in api.containers(all=True, filters=mine)]
    found += [one["Name"] for one in api.networks(filters=mine)]
    found += [one["Name"] for one in api.volumes(filters=mine)["Volumes"] or []]
    return found + [one["Id"] for one in seconds(project)]


def seconds(project):
    """The second containers of this project's runners."""
    found = project.client.api.containers(filters={"label": [LABEL]})
    return [one for one in found
            if any(mount["Source"] == str(project.folder) for mount in one["Mounts"])]  # fmt: skip


def wait_until_written(path, process):
    """Wait for a file that a runner's command writes; fail with what it said if it has ended."""
    wait_until(
        lambda: path.exists() or process.poll() is not None,
        timeout=200, what=f"the command has written {path.name}",
    )  # fmt: skip
    assert path.exists(), process.communicate()[0]


def mounts(project, runner):
    """What a runner's container has mounted."""
    return project.client.api.inspect_container(runner.container)["Mounts"]


class Shown:
    """What a terminal has shown so far."""

    def __init__(self, terminal):
        self.terminal, self.text = terminal, ""
        os.set_blocking(terminal, False)

    def __call__(self):
        with contextlib.suppress(OSError):  # there is no more for now, or the other end is closed
            while data := os.read(self.terminal, 4096):
                self.text += data.decode()
        return self.text


SESSION = ("nox", "--no-venv", "-s", "e2e", "--", "--stack")


def test_a_command_has_the_variables_the_folder_and_the_exit_status_of_its_runner(project, runner):
    process = runner("sh", "-c", 'echo "$GIVEN in $PWD"; exit 7', options=["-e", "GIVEN=words"])
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 7
    assert said.strip() == f"words in {project.folder}"
    assert of_runner(project) == []


@pytest.mark.parametrize("victim", ["the runner", "its second container"])
def test_a_runner_reaches_its_stack_and_when_killed_leaves_nothing(project, runner, victim):
    process = runner(*SESSION, project.name)
    wait_until_written(project.folder / "project", process)
    assert re.fullmatch(rf"{project.name}-[0-9a-f]+", (project.folder / "project").read_text())
    [second] = seconds(project)
    assert len(of_runner(project)) > 1
    killed = runner.container if victim == "the runner" else second["Id"]
    project.client.api.kill(killed, signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGKILL
    wait_until(lambda: not of_runner(project), timeout=120, what="nothing is left in Docker")
    left = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint", "ls", "-v", f"{STATES}:{STATES}",
         "localhost/stackproof-runner", STATES],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert second["Labels"][LABEL][:12] not in left


def test_stacks_on_an_engine_in_the_runner_are_not_on_the_hosts_and_end_with_it(
    project, runner, own_engine, python_image
):
    project.replace("tests/e2e/test_shop.py", '"test"', '"shared"')
    session = f"docker load --quiet && exec {' '.join(SESSION)} {project.name}"
    with subprocess.Popen(["docker", "save", python_image], stdout=subprocess.PIPE) as image:
        process = runner(
            "sh", "-c", session, engine=own_engine, options=["--interactive"], stdin=image.stdout
        )
    wait_until_written(project.folder / "project", process)
    assert of_runner(project) == []
    [volume] = [mount["Name"] for mount in mounts(project, runner) if mount["Type"] == "volume"]
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT
    stack = (project.folder / "project").read_text()
    assert f"{stack} is down; nothing of it is left" in said
    assert not project.client.api.volumes(filters={"name": volume})["Volumes"]


WAITING = """
trap 'echo interrupted; exit 9' INT
trap 'echo terminated; exit 8' TERM
touch waiting
while :; do read -t 0.1 line && echo "read $line"; done
"""


@pytest.mark.parametrize(
    ("end", "said", "status"),
    [("Ctrl-C", "interrupted", 9), ("docker stop", "terminated", 8)],
)
def test_a_command_ends_as_its_runner_is_told_to(project, runner, end, said, status):
    process = runner("bash", "-c", WAITING)
    wait_until_written(project.folder / "waiting", process)
    if end == "Ctrl-C":
        process.send_signal(signal.SIGINT)
    else:
        project.client.api.stop(runner.container, timeout=60)
    assert process.communicate(timeout=60)[0] == f"{said}\n"
    assert process.returncode == status
    assert of_runner(project) == []


TALKING = """
trap 'echo interrupted' INT
touch waiting
while read line || [ $? -gt 128 ]; do echo "read $line"; [ "$line" != end ] || exit 5; done
"""


def test_a_command_has_the_terminal_of_its_runner(project, runner):
    ours, its = pty.openpty()
    process = runner("bash", "-c", TALKING, options=["-it"], stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown = Shown(ours)
    wait_until((project.folder / "waiting").exists, timeout=60, what="the command runs")
    for typed, said in [
        ("words\n", "read words"),
        ("\x03", "interrupted"),
        ("more\n", "read more"),
    ]:
        os.write(ours, typed.encode())
        wait_until(lambda said=said: said in shown(), timeout=60, what="it has answered")
    os.write(ours, b"end\n")
    assert process.wait(timeout=60) == 5
    os.close(ours)


@pytest.mark.parametrize(
    "option", [["--memory", "1g"], ["--cpus", "1"], ["--user", "0"], ["--network", "none"],
               ["--publish", "127.0.0.1::80"], ["--cap-add", "SYS_ADMIN"]],
)  # fmt: skip
def test_an_option_that_the_second_container_could_not_have_is_refused(runner, option):
    said, _ = runner("true", options=option).communicate(timeout=60)
    assert said.startswith(f"runner: {option[0]} can't be honoured\n")
    assert f"remove {option[0]}" in said


def test_a_project_that_is_not_at_its_own_path_is_refused(project, runner):
    options = ["-v", f"{project.folder}:/elsewhere", "-w", "/elsewhere"]
    said, _ = runner("true", options=options).communicate(timeout=60)
    assert "/elsewhere is not mounted from the host at its own path" in said


def test_without_an_engine_the_commands_that_work_are_said(runner_image):
    done = subprocess.run(
        ["docker", "run", "--rm", runner_image, "nox", "--list"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "-v /var/run/docker.sock:/var/run/docker.sock" in done.stderr
    assert "docker run --rm --privileged" in done.stderr
    assert "Traceback" not in done.stderr
