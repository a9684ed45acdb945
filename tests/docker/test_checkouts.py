"""On the compose engine, a stack belongs to the folder that has started it; broken files end it."""

import shutil

from stackproof.engines.compose.takedown import KEEP_DATA
from stackproof.reaper.leftovers import read_run
from stackproof.waiting import wait_until


def test_a_second_checkout_is_refused_and_broken_files_do_not_keep_a_stack_alive(
    project, tmp_path_factory
):
    project.invoke("up")
    second = tmp_path_factory.mktemp("checkout") / "second"
    shutil.copytree(project.folder, second, ignore=shutil.ignore_patterns("state"))
    first, project.folder = project.folder, second
    for command in ["up", "status", "down"]:
        said = project.invoke(command, code=1)
        assert f"it was started from {first}; this is {second}" in said, command
    assert "running" in project.invoke("status", "--project", project.name)
    project.folder = first
    (first / "compose.yaml").write_text("services: [")
    assert "at work" in project.invoke("logs", "worker")
    assert "kept for the next" in project.invoke("down", "--keep-data")
    shutil.copy(second / "compose.yaml", first / "compose.yaml")
    project.folder = second
    for command in ["up", "down"]:
        assert "the kept data of" in project.invoke(command, code=1)
    project.folder = first
    project.replace("compose.yaml", "/app/server.py", "/app/nowhere.py")
    assert "the data that were kept stay" in project.invoke("up", code=1)
    assert "removed the kept data" in project.invoke("down")


def test_data_to_be_kept_are_kept_by_the_reaper_too_where_the_supervisor_is_killed(project):
    project.invoke("up")
    (project.run_folder.path / KEEP_DATA).touch(mode=0o600)
    read_run(project.run_folder.path).supervisor.kill()
    wait_until(lambda: not project.run_folder.path.exists(), timeout=60, what="the run is gone")
    assert "removed the kept data" in project.invoke("down")
