"""A stack of a private world sees the data of a snapshot through an overlay, and leaves them."""

import json
from pathlib import Path

import pytest

from stackproof.engines.base import Command
from stackproof.engines.process import engine, run_data
from stackproof.engines.process.snapshot_keeper import ProcessSnapshots
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.overlays import is_held
from stackproof.reaper.run_folder import RunFolder
from stackproof.tasks.overview import describe_configuration
from stackproof.waiting import wait_until

COMPOSE = """\
services:
  app:
    image: example.org/app
    command: [python, /app/write.py]
    volumes: ["./app:/app:ro", "kept:/kept", "more:/more"]
    x-stackproof: {environment_of: stackproof, ready: {log: written}}
volumes: {kept: {}, more: {}}
"""
WRITE = """\
import os, pathlib, time
kept, more = pathlib.Path("/kept"), pathlib.Path("/more")
if not (kept / "changed").exists():
    (kept / "below").mkdir()
    for name in ("changed", "longer", "removed", "renamed", "closed", "below/removed"):
        (kept / name).write_text("of the snapshot")
    (more / "linked").symlink_to("/kept/changed")
print("written", flush=True)
time.sleep(1000)
"""
EVERYWHERE = """\
import os, pathlib, shutil, sqlite3
kept = pathlib.Path("/kept")
(kept / "changed").write_text("new")
(kept / "longer").open("a").write(" and more")
(kept / "removed").unlink()
(kept / "renamed").rename(kept / "other")
(kept / "closed").chmod(0o400)
shutil.rmtree(kept / "below")
(kept / "below").mkdir()
(kept / "below" / "new").write_text("new")
os.utime("/more", (1, 1))
os.unlink("/more/linked")
"""
AFTERWARDS = {
    "kept/changed": "new", "kept/longer": "of the snapshot and more",
    "kept/other": "of the snapshot", "kept/closed": "of the snapshot", "kept/below/new": "new",
}  # fmt: skip


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def everything(folder):
    """All that can be told of a folder and what is in it, but when it was read last."""
    found = [folder, *sorted(folder.rglob("*"))]
    return {
        str(path): (
            about.st_mode,
            about.st_uid,
            about.st_size,
            about.st_mtime_ns,
            about.st_ctime_ns,
        )
        for path in found
        if (about := path.lstat())
    }


@pytest.fixture
def app(project):
    """A project whose service keeps what it writes in two volumes."""
    project.write("compose.yaml", COMPOSE)
    project.write("app/write.py", WRITE)
    return project


def snapshot(folder):
    """What has been taken of such a stack, as far as the stack is asked."""
    for name in ("changed", "longer", "removed", "renamed", "closed", "below/removed"):
        path = folder / "data" / "kept" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of the snapshot")
    (folder / "data" / "more").mkdir()
    (folder / "data" / "more" / "linked").symlink_to("/kept/changed")
    return folder


def take(stack, entry):
    entry.mkdir()
    ProcessSnapshots(Path()).take(stack.plan, stack.running.run_folder, entry, entry, print)


def write_everywhere(stack):
    command = Command(["python", "-c", EVERYWHERE], timeout=60)
    done = stack.running.run("write", "app", command, print)
    assert done.exit_code == 0, done


def test_what_is_written_stays_in_the_stack_and_can_be_taken_and_kept(app, tmp_path):
    entry, second = tmp_path / "entry", tmp_path / "second"
    first = app.up().stack
    assert first.plan.world == "private"
    take(first, entry)
    app.down()
    before = everything(entry)
    stack = app.up(snapshot=entry).stack
    assert run_data.overlaid(stack.running.run_folder) == {"kept", "more"}
    assert is_held(str(entry))
    write_everywhere(stack)
    take(stack, second)
    assert files(second / "data") == AFTERWARDS
    assert ProcessSnapshots(Path()).fault(second) == ""
    app.down(keep_data=True)
    assert not is_held(str(entry))
    assert everything(entry) == before
    assert ProcessSnapshots(Path()).fault(entry) == ""
    kept = app.up().stack
    assert files(kept.running.run_folder.data) == AFTERWARDS
    app.down()
    assert not any((app.state / "runs").glob("*"))


def test_where_no_overlay_can_be_had_the_data_are_copied_and_it_is_said(app, tmp_path):
    entry = snapshot(tmp_path / "en,try")
    before = everything(entry)
    stack = app.up(snapshot=entry).stack
    (said,) = [line for line in app.said if "snapshot" in line]
    assert said.startswith("note: the data of the snapshot are copied: overlayfs can't take a path")
    assert run_data.overlaid(stack.running.run_folder) == frozenset()
    write_everywhere(stack)
    assert files(stack.running.run_folder.data) == AFTERWARDS
    assert everything(entry) == before


def test_what_the_owner_could_not_see_is_copied_and_it_is_said(app, tmp_path, monkeypatch):
    entry = snapshot(tmp_path / "entry")
    monkeypatch.setattr(engine, "can_be_seen", lambda run: not run_data.overlaid(run))
    stack = app.up(snapshot=entry).stack
    assert any("can't see what the supervisor has mounted" in line for line in app.said)
    assert files(stack.running.run_folder.data) == files(entry / "data")


def test_a_killed_reaper_leaves_the_snapshot_and_nothing_else(app, tmp_path):
    entry = snapshot(tmp_path / "entry")
    before = everything(entry)
    run = app.up(snapshot=entry).stack.running.run_folder
    reaper = read_run(run.path).reaper
    reaper.kill()
    wait_until(lambda: not run.path.exists(), timeout=300, what="the run folder is gone")
    assert everything(entry) == before
    assert not is_held(str(entry))


def layers(tmp_path, *folders, without=()):
    for folder in folders:
        (tmp_path / "entry" / "data" / folder).mkdir(parents=True)
    run = RunFolder(tmp_path / "state", "shop")
    found = run_data.layers_of(tmp_path / "entry", run, without=without)
    return [Path(one["at"]).name for one in found]


def test_data_of_shared_servers_and_copies_of_mounts_have_no_overlay(tmp_path):
    assert layers(tmp_path, "db", "cache", "~copies/0", without=["db"]) == ["cache"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("world: private", "each sees them through an overlay"),
        ("isolation: {data: copy}", "each has a copy: isolation.data"),
        ("world: host", "each has a copy: an overlay takes a private world"),
    ],
)
def test_explain_tells_how_isolated_stacks_get_the_data(app, settings, told):
    app.configure(settings)
    lines = list(describe_configuration(app.resolved(), explain=True))
    assert lines[lines.index("data of the snapshot in isolated stacks") + 1].startswith(f"  {told}")


def test_a_postgresql_with_replication_slots_is_copied_since_it_renames_their_folders(tmp_path):
    assert layers(tmp_path, "db/pg_replslot", "other/pg_replslot/slot") == ["db"]
    assert run_data.never_overlaid(tmp_path / "entry") == [
        "other has replication slots, and PostgreSQL renames their folders"
    ]
    assert run_data.never_overlaid(tmp_path / "entry", without=["other"]) == []


def test_a_reason_that_holds_for_several_folders_is_told_once(tmp_path):
    run = RunFolder(tmp_path / "state", "shop")
    run.path.mkdir(parents=True)
    asked = [{"source": f"/s/{name}", "at": str(run.data / name)} for name in "abc"]
    assert run_data.note_overlaid(run, asked, {"/s/a": "why", "/s/b": "why"}) == ["why"]
    assert json.loads((run.path / run_data.NOTE).read_text()) == ["c"]
    assert run_data.overlaid(run) == {"c"}
