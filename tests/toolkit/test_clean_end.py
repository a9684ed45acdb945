"""What a session says at its end of what its stacks have left, also if one of its workers dies."""

import subprocess
import sys

import pytest

LEAKING = """\
import pytest

@pytest.mark.stack(isolation="test")
def test_leaves_something(stack):
    state = stack.plan.run_folder.parents[1]
    pass
"""

KEPT = '(state / "kept" / stack.plan.project).mkdir(parents=True)'

CRASHING = """\
import os, pathlib, time
import pytest

HERE = pathlib.Path(os.environ["OUTER"])

def wait_for(name):
    while not (HERE / name).exists():
        time.sleep(0.01)

@pytest.mark.stack(isolation="test")
@pytest.mark.parametrize("role", ["victim", "other"])
def test_worker(stack, role):
    (HERE / role).write_text(stack.plan.project)
    (HERE / role).rename(HERE / f"{role} is up")
    if role == "victim":
        wait_for("other is up")
        os.kill(os.getpid(), 9)
    wait_for("victim is up")
    victim = RunFolder(stack.plan.run_folder.parents[1], (HERE / "victim is up").read_text())
    wait_until(lambda: not victim.path.exists(), timeout=60, what="the victim's stack is gone")
    assert stack.rows("select count(*) as n from item") == [{"n": 2}]
    assert all(one.is_well for one in stack.running.status())
"""


@pytest.fixture
def run(project):
    def run(text, *arguments, code):
        project.write("tests/own/test_own.py", text)
        project.write("pytest.ini", "[pytest]\n")
        project.environment["OUTER"] = str(project.folder)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/own"]
        done = subprocess.run(
            [*command, *arguments],
            cwd=project.folder, env=project.environment, text=True, check=False, timeout=240,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        return done.stdout

    return run


def test_a_session_whose_stacks_are_gone_says_nothing(project, run):
    said = run(LEAKING, code=0)
    assert "left behind" not in said


def test_a_session_that_leaves_a_folder_fails_and_names_it(project, run):
    said = run(LEAKING.replace("pass", KEPT), code=1)
    assert "1 passed" in said
    assert "left behind by stacks" in said
    assert f"folder {project.state}/kept/shop-" in said
    subprocess.run(["rm", "-rf", str(project.state)], check=True)


def test_what_a_worker_leaves_is_named_with_the_worker_and_fails_the_session(project, run):
    said = run(LEAKING.replace("pass", KEPT), "-n", "1", code=1)
    assert "1 passed" in said
    assert f"folder {project.state}/kept/shop-" in said
    assert "(gw0)" in said
    subprocess.run(["rm", "-rf", str(project.state)], check=True)


def test_the_stack_of_a_killed_worker_goes_while_the_others_go_on(project, run):
    said = run(f"""\
from stackproof import wait_until
from stackproof.reaper.run_folder import RunFolder
{CRASHING}""", "-n", "2", code=1)  # fmt: skip
    victim = (project.folder / "victim is up").read_text()
    assert "1 failed, 1 passed" in said
    assert "crashed while running" in said
    [line] = [line for line in said.splitlines() if "crashed; nothing is left of its" in line]
    assert victim in line
    assert "left behind" not in said
    project.wait_until_nothing_is_left()
