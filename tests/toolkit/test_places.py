"""Homes, caches, project folders and masks that are not as usual: work done, or one sentence."""

import subprocess

import pytest
from tests.other_users import SYSTEM_PYTHON
from tests.toolkit.small_project import SmallProject


@pytest.fixture
def project(tmp_path):
    made = SmallProject(tmp_path / "project", tmp_path)
    yield made
    made.end()


def sentence(said):
    """What a person is told: what failed, what was observed, what to do."""
    lines = said[said.index("ERROR ") :].splitlines()
    assert lines[-1].startswith("→ ")
    assert len(lines) == 3
    return said


@pytest.mark.parametrize("place", ["file", "below a file", "/proc", "read-only"])
@pytest.mark.parametrize("setting", ["STACKPROOF_CACHE_DIR", "STACKPROOF_STATE_DIR"])
def test_a_folder_that_cant_be_made_is_one_sentence_with_the_setting(
    project, tmp_path, setting, place
):
    (tmp_path / "file").touch()
    folder = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file" / "below",
        "/proc": "/proc/nowhere",
        "read-only": "/sys/nowhere",
    }[place]
    project.write("compose.yaml", DATABASE)
    said = sentence(project.invoke("up", code=1, **{setting: str(folder)}))
    assert setting in said
    assert str(folder) in said or str(tmp_path / "file") in said


def test_a_home_that_does_not_exist_is_no_hindrance(project):
    project.invoke("up", HOME="/nowhere")
    project.invoke("down", HOME="/nowhere")


def test_a_project_that_can_only_be_read_starts_and_ends(project, tmp_path):
    place = tmp_path / "read-only"
    place.mkdir()
    (project.folder / ".env.integration.example").write_text("# nothing\n")
    if subprocess.run(["mount", "--bind", project.folder, place], check=False).returncode:
        pytest.skip("this user may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        project.folder = place
        project.invoke("up")
        assert "shop-e2e is down" in project.invoke("down")
    finally:
        subprocess.run(["umount", place], check=True)


def test_an_ordinary_user_whose_imports_come_by_pythonpath_alone_starts_a_stack(
    other_user, tmp_path
):
    theirs = SmallProject(other_user.home / "project", other_user.home)
    theirs.write("compose.yaml", COUNTING)
    other_user.owns(theirs.folder)
    environment = {"PYTHONPATH": other_user.import_path(), "PYTHONDONTWRITEBYTECODE": "1"}
    for command, expected in [("up", "healthy"), ("status", "running"), ("down", "is down")]:
        done = other_user.run(
            [SYSTEM_PYTHON, "-m", "invoke", command], cwd=theirs.folder, environment=environment
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert expected in done.stdout


DATABASE = """\
services:
  db:
    image: postgres:16
    environment: {POSTGRES_HOST_AUTH_METHOD: trust}
    ports: ["5432"]
"""

COUNTING = """\
services:
  a:
    image: anything
    x-stackproof:
      command: [python3, -c, "import stackproof, time; time.sleep(600)"]
      environment_of: stackproof
      ready: {alive: 1}
"""
