"""A folder with an upper bound holds no more, is empty after a start, and goes with its run."""

import os

import pytest

from stackproof.engines.process.memory_folders import MemoryFolders
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.namespace import namespaces_allowed
from stackproof.waiting import wait_until

FILL = """\
import errno, os, time
print("found", os.listdir("."))
try:
    with open("file", "wb") as file:
        for _ in range(8):
            file.write(bytes(1 << 20))
except OSError as error:
    print("full:", errno.errorcode[error.errno])
print("ready")
time.sleep(600)
"""


@pytest.fixture
def bounded(rig):
    """A service that writes 8 MiB into a folder of 4 MiB."""
    refusal = namespaces_allowed() or ("" if os.getuid() == 0 else "only root may mount")
    if refusal:
        pytest.skip(f"needs root and a mount namespace: {refusal}")
    folder = rig.run.path / "bounded"
    folder.mkdir()
    rig.start(rig.ready_spec("app", FILL, cwd=str(folder), tmpfs={str(folder): "4m"}))
    return folder


def test_a_bounded_folder_is_full_when_it_holds_its_size(rig, bounded):
    assert "full: ENOSPC" in rig.log("app")
    assert list(bounded.iterdir()) == []  # it is the supervisor's alone
    rig.shut_down()


def test_it_is_empty_when_its_service_starts_again(rig, bounded):
    rig.control.control("stop", ["app"])
    rig.control.control("start", ["app"])
    rig.control.wait_ready(20, rig.said.append)
    assert rig.log("app").count("found []") == 2
    rig.shut_down()


def test_it_goes_with_its_run_when_the_reaper_is_killed(rig, bounded):
    read_run(rig.run.path).reaper.kill(9)
    wait_until(lambda: not rig.run.path.exists(), timeout=20, what="the run is gone")


def test_a_bound_that_can_not_be_set_is_said_before_the_service_starts(shared_rig):
    waiting = {"absent": "service_started"}
    shared_rig.control.start(
        [shared_rig.spec("app", FILL, depends_on=waiting, tmpfs={"/nowhere": "4m"})]
    )
    (notice,) = shared_rig.control.notices()
    assert notice.startswith("app: /nowhere may hold more than 4m: ")


def test_where_there_is_no_namespace_its_folder_has_no_bound_which_is_said():
    folders = MemoryFolders({"/x": "4m"}, private=False, mount=pytest.fail, unmount=pytest.fail)
    folders.renew()
    folders.drop()
    assert "/x may hold more than 4m" in folders.notices[0]


def test_a_size_that_the_kernel_refuses_is_said():
    def refuse(path, size):
        raise OSError(22, "mount: Invalid argument")

    folders = MemoryFolders({"/x": "4q"}, private=True, mount=refuse, unmount=lambda path: None)
    folders.renew()
    assert folders.notices == ["/x may hold more than 4q: [Errno 22] mount: Invalid argument"]
