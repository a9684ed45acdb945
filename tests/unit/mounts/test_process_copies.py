"""On the process engine a service writes to copies, which only its run can see."""

import shutil
from functools import partial
from pathlib import Path

import pytest
from tests.other_users import SYSTEM_PYTHON

from stackproof.engines.base import Command
from stackproof.engines.process import engine
from stackproof.engines.process.snapshot_keeper import ProcessSnapshots
from stackproof.errors import EngineUnavailable, Refused
from stackproof.tasks.overview import describe_configuration

USERS_STACK = """
import shutil, sys
from pathlib import Path
from stackproof.engines.process.run_data import overlaid, seen_data
from stackproof.engines.process.snapshot_keeper import ProcessSnapshots
sys.path.insert(0, sys.argv[2])
from conftest import Project
folder = Path(sys.argv[1])
project = Project(folder)
before = project.files()
project.running = project.up().stack
print(project.log(project.running))
assert project.files() == before
stack = project.running
entry = folder.parent / "entry"
entry.mkdir()
keeper = ProcessSnapshots(Path())
keeper.take(stack.plan, stack.running.run_folder, entry, entry, print)
(entry / "data" / "more").mkdir()
(entry / "data" / "more" / "file").write_text("of the snapshot")
project.down()
run = project.up(snapshot=entry).stack.running.run_folder
seen = seen_data(run) / "more" / "file"
assert seen.read_text() == "of the snapshot"
seen.write_text("new")
assert (entry / "data" / "more" / "file").read_text() == "of the snapshot"
assert overlaid(run) == {"more"}, project.said
project.down()
shutil.rmtree(entry)
assert project.files() == before
print(sorted(path.name for path in folder.parent.iterdir()))
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def environment_of(user):
    """An environment of a user's own that has stackproof; its supervisors are given no path."""
    place = user.home / "environment"
    assert user.run([SYSTEM_PYTHON, "-m", "venv", "--without-pip", str(place)]).returncode == 0
    (packages,) = place.glob("lib/python3*/site-packages")
    (packages / "stackproof.pth").write_text("\n".join(user.import_path().split(":")))
    return str(place / "bin" / "python")


def test_what_a_service_writes_never_reaches_the_developers_files(project):
    before = project.files()
    log = project.log(project.up().stack)
    assert log[0] == "['old'] original"
    assert log[-1] == "written ['new'] changed"
    assert project.files() == before
    project.down()
    assert project.files() == before
    assert not list((project.folder.parent / "state" / "runs").glob("*"))


def test_it_is_said_where_the_writes_go(project):
    project.up()
    (said,) = [line for line in project.said if "./uploads" in line]
    assert "writes to a copy of ./uploads at /uploads (compose.yaml:5)" in said


def test_an_ordinary_user_has_copies_and_overlays_of_snapshots_too_and_they_are_removed(other_user):
    folder = other_user.home / "copies" / "shop"
    folder.mkdir(parents=True)
    tests = other_user.home / "tests"
    shutil.copytree(Path(__file__).parent, tests, ignore=shutil.ignore_patterns("__pycache__"))
    other_user.owns(folder.parent)
    other_user.owns(tests)
    python = environment_of(other_user)
    done = other_user.run([python, "-c", USERS_STACK, str(folder), str(tests)], cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "['old'] original" in done.stdout
    assert "written ['new'] changed" in done.stdout
    assert "state" not in done.stdout.splitlines()[-1]


def test_a_shared_folder_is_written_to(project):
    project.configure('mounts: {"./uploads": share}')
    project.log(project.up().stack)
    assert names(project.folder / "uploads") == ["new"]
    assert (project.folder / "one.conf").read_text() == "original"


def test_a_shared_folder_inside_a_copied_one_is_written_to(project):
    project.replace('"./uploads:/uploads"', '".:/all", "./uploads:/uploads"')
    project.configure("mounts: {./uploads: share}")
    project.log(project.up().stack)
    assert names(project.folder / "uploads") == ["new"]


def test_a_source_that_is_not_there_is_made_in_the_run_and_not_on_the_host(project):
    shutil.rmtree(project.folder / "uploads")
    stack = project.up(hold=False).stack
    assert not (project.folder / "uploads").exists()
    (folder,) = [path for path, target in stack.plan.service("app").folders.items()
                 if target == "/uploads"]  # fmt: skip
    assert folder.is_relative_to(stack.plan.run_folder)


def test_kept_data_have_what_was_written_to_copies(project):
    project.log(project.up().stack)
    project.down(keep_data=True)
    project.read_only()
    assert project.log(project.up().stack) == ["written ['new'] changed"]


def test_what_cant_be_copied_inside_the_project_is_shared_and_said(project):
    (project.folder / "uploads").rename(project.folder / "up,loads")
    project.replace("./uploads:", "./up,loads:")
    project.log(project.up().stack)
    assert names(project.folder / "up,loads") == ["new"]
    (said,) = [line for line in project.said if "is shared" in line]
    assert "./up,loads at /uploads (compose.yaml:5) is shared with the stack" in said


def test_what_cant_be_copied_outside_the_project_is_refused_and_nothing_is_left(project):
    outside = project.folder.parent / "else,where"
    outside.mkdir()
    (outside / "old").touch()
    project.replace("./uploads:", f"{outside}:")
    with pytest.raises(EngineUnavailable, match=r"may not write to .*else,where at /uploads"):
        project.up()
    assert names(outside) == ["old"]
    assert not list((project.folder.parent / "state" / "runs").glob("*"))


def test_explain_names_every_path_that_a_service_can_write_to(project):
    project.configure('mounts: {"./uploads": share}')
    lines = list(describe_configuration(project.resolved(), explain=True))
    at = lines.index("what services can write to outside the run")
    uploads, file = project.folder / "uploads", project.folder / "one.conf"
    assert set(lines[at + 1 : at + 3]) == {
        f"  app writes to {uploads}: ./uploads at /uploads (compose.yaml:5), shared",
        f"  app writes to a copy of {file}: ./one.conf at /etc/one.conf (compose.yaml:5)",
    }
    assert "app/write.py" not in "".join(lines[at:])


def test_a_snapshot_has_what_was_written_to_copies_and_each_stack_its_own(project, tmp_path):
    before = project.files()
    stack = project.up().stack
    project.log(stack)
    entry, run = tmp_path / "entry", stack.running.run_folder
    entry.mkdir()
    ProcessSnapshots(Path()).take(stack.plan, run, entry, entry, project.said.append)
    assert ProcessSnapshots(Path()).fault(entry) == ""
    project.down()
    project.read_only()
    one, two = (project.copy(snapshot=entry) for _ in range(2))
    try:
        assert project.log(one) == project.log(two) == ["written ['new'] changed"]
        more = ["touch", str(project.folder / "uploads" / "more")]
        written = one.running.run("write", "app", Command(more, timeout=30), print)
        assert written.exit_code == 0
    finally:
        project.end(one, two)
    assert project.files() == before
    assert ProcessSnapshots(Path()).fault(entry) == ""


def test_a_further_copy_takes_a_new_start(project):
    project.replace(', "./one.conf:/etc/one.conf"', "")
    project.write("one.conf", "original")
    project.replace("/etc/one.conf]", f"{project.folder / 'app' / 'spare'}]")
    project.write("app/spare", "spare")
    project.up()
    project.replace('"./uploads:/uploads"', '"./uploads:/uploads", "./one.conf:/etc/one.conf"')
    with pytest.raises(Refused, match=r"one\.conf at /etc/one\.conf .* can't be copied") as caught:
        project.up()
    assert "invoke up --fresh" in caught.value.remedy
    project.up(fresh=True)


def test_a_state_folder_inside_a_copied_folder_leads_to_sharing_and_is_said(project):
    project.replace('"./uploads:/uploads"', '".:/uploads"')
    project.write("old", "of the developer")
    project.state = project.folder / "state"
    project.up()
    (said,) = [line for line in project.said if "is shared" in line]
    assert ". at /uploads (compose.yaml:5) is shared with the stack" in said


def test_without_namespaces_what_is_inside_the_project_is_shared_and_said(project, monkeypatch):
    monkeypatch.setattr(engine, "launch_run", partial(engine.launch_run, private=False))
    project.log(project.up().stack)
    assert names(project.folder / "uploads") == ["new"]
    said = [line for line in project.said if "is shared with the stack" in line]
    assert len(said) == 2
    assert all("a mount namespace" in line for line in said)
