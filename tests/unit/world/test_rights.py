"""What a process gives up, and which of its calls succeed without effect."""

import subprocess
import sys

import pytest

from stackproof.engines.process.world import rights
from stackproof.reaper.kernel import SYSTEM_CALLS
from stackproof.reaper.namespace import namespaces_allowed

WHY_NOT = namespaces_allowed()
allowed = pytest.mark.skipif(WHY_NOT != "", reason=f"no namespaces here: {WHY_NOT}")

ALLOW, ANSWER_ZERO = 0x7FFF0000, 0x00050000
IDS = ("chown", "fchown", "lchown", "fchownat", "setuid", "setgroups", "setfsgid")


def answer(program, architecture, number):
    """What a classic BPF program of ours answers to a system call."""
    at, loaded = 0, 0
    while True:
        code, if_equal, if_not, value = program[at]
        if code == 0x06:
            return value
        if code == 0x20:
            loaded = {0: number, 4: architecture}[value]
            at += 1
        else:
            at += 1 + (if_equal if loaded == value else if_not)


HEAD = """
import os, sys
from stackproof.engines.process.world import rights
from stackproof.reaper import kernel
"""


def run(code, *arguments):
    """Run Python code in a process of its own, since there is no way back from most calls."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_filter_stops_the_named_calls_of_its_architecture_and_no_other(machine):
    program = rights.seccomp_filter(machine, IDS)
    architecture = rights.ARCHITECTURES[machine]
    named = {SYSTEM_CALLS[machine].get(name) for name in IDS} - {None}
    stopped = {n for n in range(600) if answer(program, architecture, n) == ANSWER_ZERO}
    assert stopped == named
    assert all(answer(program, architecture + 1, number) == ALLOW for number in named)


def test_calls_without_effect_answer_0_and_change_nothing(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    code = """
kernel.forbid_new_privileges()
rights.succeed_without_effect(["chown", "fchownat", "setuid", "setresuid"])
before = os.stat(sys.argv[1])
os.chown(sys.argv[1], 12345, 12345)
os.setuid(54321)
print(os.stat(sys.argv[1]).st_uid == before.st_uid, os.getuid() == before.st_uid)
"""
    assert run(code, str(file)) == ["True", "True"]


def test_capabilities_that_are_not_kept_are_gone_in_each_set():
    code = """
kernel.unshare(kernel.CLONE_NEWUSER)
rights.limit_capabilities([0, 40])
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")))
"""
    inheritable, permitted, effective, bounding, ambient = run(code)
    assert {inheritable, ambient} == {"0" * 16}
    assert {permitted, effective, bounding} == {"0000010000000001"}
