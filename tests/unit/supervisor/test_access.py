"""Who may use a run: its folders and control socket, whatever the umask and whoever asks."""

import json
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from tests.unit.supervisor.conftest import Rig

from stackproof.engines.process.control import Control
from stackproof.engines.process.questions import Questions
from stackproof.errors import Refused
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down
from stackproof.stack.checkout import Checkout
from stackproof.stack.running_record import RunningRecord, read_about, write_about

UMASKS = [0o000, 0o002, 0o022, 0o077]

ASK = """\
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
try:
    link.sendall(b'{"op": "status"}\\n')
except BrokenPipeError:
    pass  # the answer has come before the question
print(link.makefile().readline())
"""


@pytest.fixture
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def open_rig():
    """A run in a folder that everybody can pass through."""
    place = Path(tempfile.mkdtemp(prefix="stackproof-test-"))
    place.chmod(0o755)
    made = Rig(place / "state")
    yield made
    take_down(made.run, seconds=5)
    made.lease.close()
    shutil.rmtree(place)


@pytest.mark.parametrize("umask", UMASKS, indirect=True, ids=oct)
def test_whatever_the_umask_is_runs_can_be_started_and_only_their_user_can_change_them(
    umask, tmp_path
):
    rigs = [Rig(tmp_path / "state")]
    try:
        rig = rigs[0]
        write_about(
            rig.run,
            RunningRecord(
                "shop",
                Checkout("/", 1, 2, 3),
                "process",
                (),
                {},
                services={},
                origins={},
                all_free=False,
                is_complete=True,
            ),
        )
        for folder in (rig.run.tmp("a"), rig.run.home("a"), rig.run.data / "a", rig.run.kept):
            make_folders(str(folder))
        rig.start(rig.ready_spec("a", "import os; print(oct(os.umask(0)))\nprint('ready')"))
        assert "0o22" in rig.log("a")
        for path in [rig.run.root, *rig.run.root.rglob("*")]:
            mode = path.lstat().st_mode
            allowed = 0o711 if stat.S_ISDIR(mode) and os.geteuid() == 0 else 0o700
            assert stat.S_IMODE(mode) & ~allowed == 0, f"{path}: {stat.filemode(mode)}"
            assert not stat.S_ISDIR(mode) or stat.S_IMODE(mode) == allowed
        assert stat.S_IMODE(rig.run.control_socket.stat().st_mode) == 0o600
        assert read_about(rig.run) is not None
    finally:
        take_down(rigs[0].run, seconds=5)
        shutil.rmtree(tmp_path / "state", ignore_errors=True)


def test_another_user_can_not_open_the_control_socket(open_rig, other_user):
    done = other_user.run(["/usr/bin/python3", "-c", ASK, str(open_rig.run.control_socket)])
    assert "PermissionError" in done.stderr
    assert done.stdout == ""


def test_another_user_who_gets_to_the_control_socket_is_told_nothing(open_rig, other_user):
    open_rig.run.control_socket.chmod(0o666)
    done = other_user.run(["/usr/bin/python3", "-c", ASK, str(open_rig.run.control_socket)])
    error = {"what": f"bad request: user {other_user.uid} has no right to ask"}
    assert json.loads(done.stdout) == {"error": error}
    assert open_rig.control.status() == ()


def test_a_supervisor_of_another_user_is_not_asked(other_user):
    place = Path(tempfile.mkdtemp(prefix="stackproof-test-"))
    run = RunFolder(place / "state", "evil")
    make_folders(str(run.path))
    run.about.write_text('{"engine": "x"}')
    other_user.owns(run.path)
    try:
        with pytest.raises(Refused, match=f"not safe to use\n.*user {other_user.uid}"):
            Control(run).status()
        with pytest.raises(Refused, match="not safe to use"):
            list(Questions(run).ask("status"))
        with pytest.raises(Refused, match="not safe to use"):
            read_about(run)
    finally:
        shutil.rmtree(place)
