"""Owners, reapers and supervisors killed at any moment: nothing is left in Docker, or on disk."""

import os
import random
import signal
import time

import pytest

from stackproof.reaper.leftovers import read_run
from stackproof.waiting import wait_until

pytestmark = pytest.mark.usefixtures("bystander_unharmed")

KILLS = int(os.environ.get("STACKPROOF_KILLS", "5"))

SLOW_IMAGE = """\
    FROM {image}
    RUN echo {name} && sleep 300
    """


def wait_for(process, words):
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} was not said: {''.join(seen)}")


def wait_while_it_runs(process, condition, what):
    def look():
        assert process.poll() is None, process.stdout.read()
        return condition()

    wait_until(look, timeout=60, what=what)


def kill_group(process):
    """SIGKILL to a command and all that it has started in its own group, as a CI job is cut off."""
    os.killpg(process.pid, signal.SIGKILL)
    return time.monotonic()


def networks_of(project):
    of_project = {"label": [f"com.docker.compose.project={project.name}"]}
    return project.client.api.networks(filters=of_project)


@pytest.fixture
def held(project):
    """An owner that has brought the stack up and holds its lease."""
    process = project.hold()
    wait_for(process, "held")
    return process


@pytest.fixture
def keepers(project):
    """The reaper and the supervisor of a run that stays up."""
    project.invoke("up")
    return read_run(project.run_folder.path)


def test_an_owner_killed_while_it_holds_the_lease_leaves_nothing(project, held, measured):
    measured(project, since=kill_group(held))


def test_an_owner_alone_that_is_killed_leaves_nothing(project, held, measured):
    """Its children live on: nothing depends on a signal to the whole group."""
    held.kill()
    measured(project, since=time.monotonic())


def test_an_owner_killed_while_containers_are_made_leaves_nothing(project, measured):
    process = project.start("up")
    wait_while_it_runs(process, lambda: project.container("web"), "the first container is made")
    measured(project, since=kill_group(process))


def test_an_owner_killed_before_the_first_container_is_there_leaves_nothing(project, measured):
    process = project.start("up")
    wait_while_it_runs(process, lambda: networks_of(project), "a network is made")
    measured(project, since=kill_group(process))


def test_an_owner_killed_while_an_image_is_built_leaves_nothing(project, python_image, measured):
    project.replace("compose.yaml", f"image: {python_image}", "build: .")
    project.write("Dockerfile", SLOW_IMAGE.format(image=python_image, name=project.name))
    process = project.start("up")
    step = f"echo {project.name} && sleep 300"
    wait_while_it_runs(process, lambda: any(step in one for one in project.left()), "the step runs")
    measured(project, since=kill_group(process))
    assert not project.client.images.list(
        all=True, filters={"label": [f"dev.stackproof.stack={project.name}"]}
    )


def test_owners_killed_at_random_moments_leave_nothing(project, measured):
    """STACKPROOF_KILLS moments, from STACKPROOF_KILL_SEED."""
    seed = int(os.environ.get("STACKPROOF_KILL_SEED", str(random.randrange(1 << 16))))
    print("seed", seed)
    moments = random.Random(seed)
    for number in range(KILLS):
        moment = moments.uniform(0.0, 2.0)
        process = project.hold()
        if number % 2:  # else it could be killed before it has made anything, each time
            wait_while_it_runs(process, lambda: networks_of(project), "a network is made")
        time.sleep(moment)  # the moment is what this test varies
        assert process.poll() is None, process.stdout.read()
        print("kill", number, "after", moment, "with", project.left())
        measured(project, since=kill_group(process))


def test_a_killed_reaper_is_stood_in_for_by_the_supervisor(project, keepers, measured):
    since = time.monotonic()
    keepers.reaper.kill()
    measured(project, since=since)


def test_a_killed_supervisor_is_stood_in_for_by_the_reaper(project, keepers, measured):
    since = time.monotonic()
    keepers.supervisor.kill()
    measured(project, since=since)


@pytest.mark.parametrize("keeper", ["reaper", "supervisor"])
def test_a_start_whose_keeper_is_killed_fails_in_a_sentence_and_leaves_nothing(project, keeper):
    process = project.start("up")
    wait_while_it_runs(process, lambda: project.container("web"), "the first container is made")
    getattr(read_run(project.run_folder.path), keeper).kill()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "ERROR" in output
    assert "Traceback" not in output
    project.wait_until_nothing_is_left()


def kill_both(keepers):
    keepers.supervisor.kill(signal.SIGSTOP)  # so that it can't act on the reaper's death
    keepers.reaper.kill()
    keepers.supervisor.kill()
    wait_until(lambda: not keepers.is_alive, timeout=20, what="both are dead")


def test_what_both_keepers_left_is_removed_and_named_by_the_next_command(project, keepers):
    kill_both(keepers)
    assert project.container("web")
    said = project.invoke("status", code=1)
    assert f"removed what a run of {project.name} had left" in said
    assert not project.left()


def test_what_both_keepers_left_is_removed_from_the_engine_that_it_is_on(project, keepers):
    """The next command may be one that is told of another Docker Engine, or of none."""
    kill_both(keepers)
    project.environment["DOCKER_HOST"] = "unix:///nonexistent.sock"
    said = project.invoke("clean")
    assert f"removed what a run of {project.name} had left" in said
    assert not project.left()


def test_an_owner_and_both_keepers_killed_at_once_leave_nothing_after_the_next_command(
    project, held
):
    keepers = read_run(project.run_folder.path)
    keepers.supervisor.kill(signal.SIGSTOP)
    keepers.reaper.kill(signal.SIGSTOP)
    held.kill()
    kill_both(keepers)
    assert f"removed what a run of {project.name} had left" in project.invoke("clean")
    assert not project.left()


def test_a_frozen_supervisor_is_told_by_status_and_ended_by_down(project, keepers):
    supervisor = keepers.supervisor
    supervisor.kill(signal.SIGSTOP)
    wait_until(supervisor.is_stopped, timeout=20, what="it is stopped")
    said = project.invoke("status", code=1)
    assert f"(process {supervisor.pid}) is stopped: `kill -CONT {supervisor.pid}`" in said
    assert "is stopped (state T); ended it by force" in project.invoke("down")
    assert not project.left()
