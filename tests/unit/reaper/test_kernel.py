"""System calls that the standard library doesn't have, each made for real in a child process."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from stackproof.reaper import kernel
from stackproof.reaper.namespace import namespaces_allowed

WHY_NOT = namespaces_allowed()
allowed = pytest.mark.skipif(WHY_NOT != "", reason=f"no namespaces here: {WHY_NOT}")


def run(code, *arguments):
    """Run Python code in a process of its own, since there is no way back from most calls."""
    done = subprocess.run(
        [sys.executable, "-c", f"import os, sys\nfrom stackproof.reaper import kernel\n{code}",
         *arguments], capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_tables_have_the_numbers_of_the_kernels_headers():
    x86, arm = kernel.SYSTEM_CALLS["x86_64"], kernel.SYSTEM_CALLS["aarch64"]
    names = "mount_setattr", "fchownat", "pivot_root", "setgroups"
    assert [x86[name] for name in names] == [442, 260, 155, 116]
    assert [arm[name] for name in names] == [442, 54, 41, 159]
    assert set(x86) - set(arm) == {"chown", "lchown"}


def test_an_unknown_machine_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="riscv64"))
    with pytest.raises(OSError, match="number on riscv64 is not known"):
        kernel.system_call("mount_setattr")


def test_a_failed_call_says_what_was_tried_and_why():
    with pytest.raises(FileNotFoundError, match="mount tmpfs on /nowhere/at/all: "):
        kernel.mount("tmpfs", "/nowhere/at/all", "tmpfs")
    with pytest.raises(OSError, match="no_such_function: Function not implemented"):
        kernel.call("no_such_function")


@allowed
@allowed
def test_the_ids_of_a_namespace_with_few_are_passed_on_as_themselves():
    code = """
user, group = os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWUSER)
kernel.map_ids(os.getpid(), f"7 {user} 1", f"8 {group} 1")
print(kernel.same_ids("uid"), kernel.same_ids("gid"))
"""
    assert run(code) == ["7", "7", "1", "8", "8", "1"]


@allowed
def test_a_read_only_mount_is_so_with_all_below_it(tmp_path):
    code = """
user, group, folder = os.getuid(), os.getgid(), sys.argv[1]
kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
kernel.map_ids(os.getpid(), f"0 {user} 1", f"0 {group} 1")
kernel.make_mounts_private()
kernel.mount("tmpfs", folder, "tmpfs")
os.mkdir(f"{folder}/below")
kernel.mount("tmpfs", f"{folder}/below", "tmpfs")
kernel.make_read_only(folder, recursive=False)
open(f"{folder}/below/file", "w").close()
kernel.make_read_only(folder)
for path in (f"{folder}/file", f"{folder}/below/other"):
    try:
        open(path, "w")
    except OSError as error:
        print(error.strerror.replace(" ", "-"))
"""
    assert run(code, str(tmp_path)) == ["Read-only-file-system"] * 2
    assert list(tmp_path.iterdir()) == []
