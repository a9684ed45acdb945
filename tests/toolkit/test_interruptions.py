"""Ctrl-C once and twice, SIGKILL at any moment, and suites that fail: nothing is left behind."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from stackproof.reaper.leftovers import find_runs, read_run
from stackproof.suites.suite import SuiteRequest, run_suite
from stackproof.waiting import wait_until


def wait_for(process, words):
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return "".join(seen)
    raise AssertionError(f"{words!r} was not said: {''.join(seen)}")


@pytest.fixture
def starting(project):
    """An `invoke up` that waits for a service which takes its time."""
    project.replace("compose.yaml", "print('prepared')", "import time; time.sleep(300)")
    process = project.start("up")
    wait_for(process, "web          waiting")
    yield process
    process.kill()
    process.communicate()


def test_ctrl_c_while_a_stack_starts_takes_it_down(project, starting, interrupted):
    interrupted(starting)
    output, _ = starting.communicate(timeout=60)
    assert starting.returncode == 130
    assert "shop-e2e is down; nothing of it is left" in output
    assert "Traceback" not in output
    project.wait_until_nothing_is_left()


def test_a_second_ctrl_c_does_not_stop_the_clean_up(project, starting, interrupted):
    interrupted(starting)
    interrupted(starting)
    starting.communicate(timeout=60)
    project.wait_until_nothing_is_left()


def test_a_closed_terminal_ends_a_start_and_leaves_nothing(project, starting):
    os.killpg(starting.pid, signal.SIGHUP)
    starting.communicate(timeout=60)
    assert starting.returncode == -signal.SIGHUP
    project.wait_until_nothing_is_left()


def test_up_that_is_killed_at_any_moment_leaves_nothing(project):
    """Five moments here; STACKPROOF_KILLS=50 for fifty."""
    moments = random.Random(int(os.environ.get("STACKPROOF_KILL_SEED", "1")))
    for number in range(int(os.environ.get("STACKPROOF_KILLS", "5"))):
        process = project.start("up")
        time.sleep(moments.uniform(0.1, 2.0))  # the moment is what this test varies
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate(timeout=60)
        assert process.returncode in {-signal.SIGKILL, 0}, said  # killed, or up by then
        released = read_run(project.run_folder.path)
        if released is not None and released.owner is None:
            project.invoke("down")  # it had come to its end before
        wait_until(project.nothing_is_left, timeout=30, what=f"kill {number} left nothing")


def test_a_stack_that_lost_all_its_keepers_is_cleaned_by_the_next_command(project):
    project.invoke("up")
    state = read_run(project.run_folder.path)
    state.supervisor.kill(signal.SIGSTOP)
    state.reaper.kill()
    state.supervisor.kill()
    wait_until(lambda: not state.is_alive, timeout=20, what="both are dead")
    assert "removed what a run of shop-e2e had left" in project.invoke("status", code=1)
    project.wait_until_nothing_is_left()


def test_a_frozen_supervisor_is_told_by_status_and_ended_by_down(project):
    project.invoke("up")
    supervisor = read_run(project.run_folder.path).supervisor
    supervisor.kill(signal.SIGSTOP)
    wait_until(supervisor.is_stopped, timeout=20, what="it is stopped")
    said = project.invoke("status", code=1)
    assert f"process {supervisor.pid} is stopped (state T in /proc)" in said
    assert f"`kill -CONT {supervisor.pid}` lets it go on" in said
    assert "nothing of it is left" in project.invoke("down")
    project.wait_until_nothing_is_left()


FAILING = """\
import pytest
pytestmark = pytest.mark.integration
def test_fails(running_stack):
    running_stack.service("web").exec(["sh", "-c", "true"])
    assert running_stack.url("web") == "something else"
"""


def request(project, **fields):
    return SuiteRequest(root=project.folder, environment=project.environment, suite="integration",
                        **fields)  # fmt: skip


@pytest.fixture
def pytest_runner(project):
    """Runs pytest as a session does, and keeps what it said."""

    def run(arguments, environment):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True,
                              env={**project.environment, **environment}, check=False)  # fmt: skip
        run.output = done.stdout + done.stderr
        return done.returncode == 0

    return run


def test_a_suite_is_up_migrate_seed_test_collect_down(project, pytest_runner):
    said = []
    assert run_suite(request(project), pytest_runner, said.append), pytest_runner.output
    steps = [line.split()[0] for line in said[-8:-2]]
    assert steps == ["up", "migrate", "seed", "test", "collect", "down"]
    folder = project.folder / ".artifacts" / "integration" / "latest"
    kept = {path.name for path in folder.iterdir()}
    assert {"junit.xml", "logs", "plan.json", "services.json", "timings.json"} <= kept
    project.wait_until_nothing_is_left()


def test_a_failing_test_leaves_a_slice_of_every_log_and_names_it(project, pytest_runner):
    project.write("tests/integration/test_shop.py", FAILING)
    said = []
    assert not run_suite(request(project), pytest_runner, said.append)
    assert "stackproof artifacts" in pytest_runner.output
    folder = project.folder / ".artifacts" / "integration" / "latest" / "failures"
    (failure,) = folder.iterdir()
    assert {"failure.txt", "timeline.log", "services.txt"} <= {p.name for p in failure.iterdir()}
    assert str(failure.resolve() / "services.txt") in pytest_runner.output.replace("\n", "")
    assert "web: running (healthy)" in (failure / "services.txt").read_text()
    project.wait_until_nothing_is_left()


def test_keep_leaves_a_failed_stack_up_and_says_how_to_look_around(project, pytest_runner):
    project.write("tests/integration/test_shop.py", FAILING)
    said = []
    assert not run_suite(request(project, keep=True), pytest_runner, said.append)
    (line,) = [one for one in said if "is left up" in one]
    (run,) = find_runs(project.state)
    assert f"invoke logs --stack shop --project {run.project}" in line
    assert "healthy" in project.invoke("status", "--project", run.project)
    project.invoke("down", "--project", run.project)
    project.wait_until_nothing_is_left()


WAITS = """\
import os, pathlib, time, pytest

RUNS = pathlib.Path(os.environ["STACKPROOF_STATE_DIR"], "runs")

def test_waits_for_the_end(stack):
    print("is up", flush=True)
    while len(list(RUNS.iterdir())) < 2:
        time.sleep(0.05)
    print("the next one starts", flush=True)
    time.sleep(300)

@pytest.mark.stack(env={"web": {"GREETING": "slow"}})
def test_would_be_next(stack):
    pass
"""


def test_ctrl_c_in_pytest_ends_also_a_stack_that_starts_and_says_that_all_is_gone(
    project, interrupted
):
    project.write("tests/own/test_own.py", WAITS)
    project.write("pytest.ini", "[pytest]\n")
    project.replace("config/shop.yaml", "start: 60", "start: 300")
    slow = "if os.environ['GREETING'] == 'slow': import time; time.sleep(300)\n"
    server = project.folder / "web" / "server.py"
    server.write_text(server.read_text().replace("class Handler", slow + "class Handler"))
    command = [sys.executable, "-m", "pytest", "-qs", "-p", "no:cacheprovider", "tests/own"]
    process = subprocess.Popen(
        command, cwd=project.folder, env={**project.environment, "STACKPROOF_POOL": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for(process, "the next one starts")
    interrupted(process)
    said, _ = process.communicate(timeout=180)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "stacks: interrupted; nothing is left of its stacks: shop-" in said
    assert "left behind" not in said
    project.wait_until_nothing_is_left()


def test_an_interrupted_suite_takes_its_stack_down(project):
    def interrupted_pytest(_arguments, _environment):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_suite(request(project), interrupted_pytest, lambda _: None)
    project.wait_until_nothing_is_left()


def test_a_suite_without_tests_starts_nothing_and_says_so(project, pytest_runner):
    (project.folder / "tests" / "integration" / "test_shop.py").unlink()
    said = []
    assert run_suite(request(project), pytest_runner, said.append)
    assert said == ["there are no integration scenarios yet in tests/integration; nothing to do"]
