"""Run folders, records, locks and port claims."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import pytest

from stackproof.errors import ConfigError, Refused, StackBusy, StartFailed
from stackproof.reaper import ownership
from stackproof.reaper.daemon import Reaper
from stackproof.reaper.handles import how_it_ended
from stackproof.reaper.launch import launch
from stackproof.reaper.leftovers import clean, find_runs, read_run
from stackproof.reaper.lock import ProjectLock
from stackproof.reaper.machine import boot_id
from stackproof.reaper.namespace import namespaces_allowed
from stackproof.reaper.order import Order
from stackproof.reaper.run_folder import RunFolder, state_root
from stackproof.reaper.sweep import ProcessId
from stackproof.reaper.takedown import take_down
from stackproof.stack.resolved import StackRequest
from stackproof.tasks.overview import clean_and_list
from stackproof.waiting import wait_until


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "../x", "a b", "-x", "ä", "x" * 64])
def test_a_project_name_that_could_leave_its_folder_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="is not a valid project name"):
        RunFolder(tmp_path, name)


def test_the_state_root_can_be_chosen():
    assert state_root({"STACKPROOF_STATE_DIR": "/x/y"}) == Path("/x/y")


def test_the_state_root_is_in_a_folder_of_the_user_that_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(
        "stackproof.reaper.run_folder.tempfile.gettempdir", lambda: str(tmp_path / "tmp")
    )
    home, runtime = tmp_path / "home", tmp_path / "runtime"
    home.mkdir()
    runtime.mkdir()
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
    root = state_root(environment)
    assert root.parent == home / ".cache" / "stackproof"
    assert state_root({**environment, "XDG_CACHE_HOME": "/tmp"}).parent == Path("/tmp/stackproof")
    assert state_root({**environment, "XDG_CACHE_HOME": "relative"}) == root
    no_home = {**environment, "HOME": str(tmp_path / "file" / "none")}
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o444)
    assert state_root(no_home).parent == runtime / "stackproof"
    assert state_root({}).parent == tmp_path / "tmp" / "stackproof-1000"


def test_machines_that_share_a_home_do_not_share_runs(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "")
    here = state_root({})
    name = os.uname()
    other = type(name)((name.sysname, "another", name.release, name.version, name.machine))
    monkeypatch.setattr(os, "uname", lambda: other)
    assert state_root({}) != here


def test_roots_runs_are_where_servers_that_do_not_run_as_root_can_pass(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    root = state_root({"HOME": "/root", "XDG_RUNTIME_DIR": "/run/user/0"})
    assert root.parent == Path("/var/lib/stackproof")


def test_a_torn_record_is_a_leftover_and_is_removed(tmp_path):
    folder = tmp_path / "runs" / "x-e2e"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text('{"run_id": "ab')
    (state,) = find_runs(tmp_path)
    assert not state.is_alive
    assert len(clean(tmp_path)) == 1
    assert not folder.exists()


def test_a_record_of_before_the_last_boot_names_no_processes(tmp_path):
    folder = tmp_path / "runs" / "x-e2e"
    folder.mkdir(parents=True)
    mine = [os.getpid(), 0]
    record = {"run_id": "a" * 16, "project": "x-e2e", "owner": None, "reaper": mine,
              "supervisor": mine, "intended": [], "docker": None, "boot_id": "another"}  # fmt: skip
    (folder / "record.json").write_text(json.dumps(record))
    assert not read_run(folder).is_alive
    assert len(clean(tmp_path)) == 1


def test_a_run_of_another_container_is_left_alone_and_clean_says_so(tmp_path):
    """Its process numbers mean nothing here, so nobody can tell that it is dead."""
    run = RunFolder(tmp_path, "x-e2e")
    run.path.mkdir(parents=True)
    record = {"run_id": "a" * 16, "project": "x-e2e", "owner": None, "reaper": [os.getpid(), 0],
              "supervisor": None, "intended": [], "docker": None, "boot_id": boot_id(),
              "pid_namespace": "pid:[1]"}  # fmt: skip
    run.record.write_text(json.dumps(record))
    assert read_run(run.path).is_alive
    assert clean(tmp_path) == []
    places = {"STACKPROOF_STATE_DIR": str(tmp_path), "STACKPROOF_CACHE_DIR": str(tmp_path / "c")}
    *_, told = clean_and_list(StackRequest(root=tmp_path, environment=places))
    assert told.startswith("not removed: x-e2e belongs to another container")
    assert told.endswith(f"remove {run.path}")
    with pytest.raises(Refused, match="runs in another container"):
        take_down(run, seconds=0)
    assert run.record.exists()


def test_only_one_command_at_a_time_works_on_a_copy(tmp_path):
    run = RunFolder(tmp_path, "x-e2e")
    with (
        ProjectLock(run, {}),
        pytest.raises(StackBusy, match=rf"process {os.getpid()}: .* \(in {Path.cwd()}\)"),
    ):
        ProjectLock(run, {}).__enter__()
    with ProjectLock(run, {}):
        pass


def test_copies_with_other_names_do_not_wait_for_each_other(tmp_path):
    with ProjectLock(RunFolder(tmp_path, "a"), {}), ProjectLock(RunFolder(tmp_path, "b"), {}):
        pass


def test_a_killed_holder_does_not_keep_the_lock(tmp_path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from stackproof.reaper.lock import ProjectLock\n"
        "from stackproof.reaper.run_folder import RunFolder\n"
        f"lock = ProjectLock(RunFolder(Path({str(tmp_path)!r}), 'x'), {{}}); lock.__enter__()\n"
        "print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    run = RunFolder(tmp_path, "x")
    with pytest.raises(StackBusy):
        ProjectLock(run, {}).__enter__()
    holder.send_signal(signal.SIGSTOP)
    wait_until(ProcessId.of(holder.pid).is_stopped, timeout=20, what="it is stopped")
    with pytest.raises(StackBusy, match=f"is stopped: `kill -CONT {holder.pid}` lets it go on"):
        ProjectLock(run, {}).__enter__()
    holder.kill()
    holder.communicate()
    with ProjectLock(run, {}):
        pass


def test_a_supervisor_that_can_not_be_started_leaves_nothing(tmp_path):
    run = RunFolder(tmp_path / "state", "x-e2e")
    argv = ["/nonexistent/program"]
    launch(run, argv, environment={})
    take_down(run, seconds=5)
    assert not run.root.exists()


def test_a_state_root_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="it is not a folder"):
        launch(RunFolder(tmp_path / "file" / "state", "x"), [sys.executable], environment={})


def test_ports_that_two_runs_claim_at_the_same_time_are_never_the_same(tmp_path):
    argv = [sys.executable, str(Path(__file__).with_name("standin.py"))]
    runs = [RunFolder(tmp_path / "state", f"p{number}") for number in range(4)]
    try:
        leases = [launch(run, [*argv, str(run.path)], environment=dict(os.environ)) for run in runs]
        claimed = [port for lease in leases for port in lease.claim_ports(50)]
        assert len(set(claimed)) == 200
    finally:
        for run in runs:
            take_down(run, seconds=5)
    assert not (tmp_path / "state").exists()


def test_asking_for_namespaces_changes_nothing_for_the_one_who_asks():
    spaces = [Path("/proc/self/ns") / name for name in ("pid", "mnt", "user")]
    before = [space.readlink() for space in spaces]
    namespaces_allowed()
    assert [space.readlink() for space in spaces] == before


SLOW_TO_LISTEN = """\
: > "$0/begun"
until [ -e "$0/asked" ]; do sleep 0.01; done
sleep 0.3
trap ': > "$0/orderly"; exit 0' TERM
while :; do sleep 0.01; done
"""


def test_a_supervisor_that_is_told_to_end_before_it_listens_ends_in_order(tmp_path):
    run = RunFolder(tmp_path / "state", "early-e2e")
    lease = launch(run, ["/bin/sh", "-c", SLOW_TO_LISTEN, str(tmp_path)], environment={})
    if lease.namespace != "pid":
        pytest.skip(f"it is PID 1 only with namespaces: {lease.namespace}")
    wait_until((tmp_path / "begun").exists, timeout=20, what="it has begun")
    lease.reaper.kill(15)
    (tmp_path / "asked").touch()
    wait_until(lambda: not run.path.exists(), timeout=30, what="the run is gone")
    assert (tmp_path / "orderly").exists()


@pytest.mark.parametrize("failing", ["make_folder", "write_file", "rename"])
def test_a_run_folder_that_cant_be_made_complete_is_removed(tmp_path, monkeypatch, failing):
    root = tmp_path / "state"
    folder = str(root / "runs" / "full-e2e")
    owner = ProcessId.current()
    order = Order("1" * 16, "full-e2e", folder, owner, (), {}, False, False, "", {})  # noqa: FBT003
    reaper = Reaper.__new__(Reaper)
    reaper.__dict__.update(order=order, held=False, supervisor=0, kind="", intended=[])
    module = os if failing == "rename" else ownership
    real = getattr(module, failing)

    def full(*arguments, **options):
        if failing == "make_folder" and arguments[0] in {"state", "runs"}:
            return real(*arguments, **options)
        if failing == "write_file":
            (Path(arguments[0]) / "record.json.new").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, failing, full)
    with pytest.raises(OSError, match="No space left"):
        reaper._make_folder()
    assert not root.exists()


def namespaces_of(process):
    kinds = ("user", "mnt", "pid", "ipc", "uts", "net")
    return {kind: Path(f"/proc/{process}/ns/{kind}").readlink() for kind in kinds}


def test_a_supervisor_of_a_private_world_is_its_root_and_nobody_outside(tmp_path):
    run = RunFolder(tmp_path / "state", "world-e2e")
    told = tmp_path / "told"
    tell = f"cat /proc/self/uid_map /proc/self/setgroups >{told}.new; id -u >>{told}.new"
    argv = ["/bin/sh", "-c", f"{tell}; mv {told}.new {told}; exec sleep 600"]
    with closing(launch(run, argv, environment={"PATH": os.defpath}, world=True)) as lease:
        wait_until(told.exists, timeout=20, what="it has told who it is")
        supervisor = namespaces_of(read_run(run.path).supervisor.pid)
        take_down(run, seconds=20)
    known, groups = (4294967295, "allow") if os.getuid() == 0 else (1, "deny")
    assert told.read_text().split() == ["0", str(os.getuid()), str(known), groups, "0"]
    shared = {kind for kind, name in namespaces_of("self").items() if supervisor[kind] == name}
    assert (lease.namespace, shared) == ("pid", {"net"})
    assert not run.path.exists()


def test_a_private_world_that_cant_be_had_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "state", "world-e2e")
    code = (
        "import sys, os; sys.path.insert(0, sys.argv.pop(1))\n"
        "from stackproof.reaper import kernel\n"
        "def refuse(flags): raise OSError(1, 'unshare: Operation not permitted')\n"
        "kernel.unshare = refuse\n"
        "from stackproof.reaper.daemon import main; main()\n"
    )
    monkeypatch.setattr("stackproof.reaper.launch._BOOT", code)
    with pytest.raises(StartFailed, match=r"a private world can't be had: .*not permitted"):
        launch(run, ["/bin/sleep", "600"], environment={}, world=True)
    assert not run.path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's folders let others pass through")
def test_nobody_finds_a_folder_of_a_run_before_others_can_pass_through_it(tmp_path):
    found = []

    def make(number, gate):
        gate.wait()
        ownership.make_folders(f"{tmp_path}/{number}/data/api")
        found.append(stat.S_IMODE((tmp_path / str(number) / "data").stat().st_mode))

    before = os.umask(0o077)
    try:
        for number in range(300):
            gate = Barrier(4)
            threads = [Thread(target=make, args=(number, gate)) for _ in range(gate.parties)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        os.umask(before)
    assert set(found) == {0o711}


def test_reapers_that_have_ended_do_not_add_up_in_a_long_session(tmp_path):
    sleeper, environment = ["/bin/sleep", "600"], {"PATH": os.defpath}
    first, second = (RunFolder(tmp_path / "state", name) for name in ("first-e2e", "second-e2e"))
    with closing(launch(first, sleeper, environment=environment)) as lease:
        pid = lease.reaper.pid
        take_down(first, seconds=5)
        wait_until(lambda: not lease.reaper.is_alive(), timeout=20, what="the reaper has ended")
    with closing(launch(second, sleeper, environment=environment)):
        assert not Path(f"/proc/{pid}").exists()
        assert how_it_ended(pid) != "has ended", "nobody knows how"
        take_down(second, seconds=5)
