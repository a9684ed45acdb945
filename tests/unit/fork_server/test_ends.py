"""A fork server ends with whoever has started it, whatever ends that, and nothing is left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stackproof.engines.process.fork_server.kept import Kept
from stackproof.waiting import wait_until

OWNER = """
import signal, sys
from pathlib import Path
from stackproof.engines.process.fork_server.kept import Kept
kept = Kept(Path(sys.executable), {"PATH": "/usr/bin:/bin"})
print(kept.is_ready(60), kept.process.pid, flush=True)
signal.pause()
"""

EXAMINER = """
import os, sys
from pathlib import Path
from stackproof.engines.process.fork_server import approving
slow = "import time; from stackproof.engines.process.fork_server import examining; "
slow += "examining.examine = lambda _: time.sleep(2); "
before, start, rest = approving._BOOT.partition("from stackproof.engines.process.fork_server")
approving._BOOT = before + slow + start + rest
environment = {"PATH": "/usr/bin:/bin", "TMPDIR": sys.argv[1]}
approving.approve(Path(sys.executable), environment, ["asyncio"], ())
"""


def lives(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_owner(number):
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    ready, server = owner.stdout.readline().split()
    assert (ready, lives(server)) == ("True", True)
    owner.send_signal(number)
    owner.communicate(timeout=60)
    wait_until(lambda: not lives(server), timeout=60, what="the fork server has ended")


def test_an_examination_whose_command_is_killed_leaves_no_folder(tmp_path):
    command = [sys.executable, "-c", EXAMINER, str(tmp_path)]
    process = subprocess.Popen(command, start_new_session=True)
    wait_until(lambda: list(tmp_path.iterdir()), timeout=60, what="the examination has begun")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    wait_until(lambda: not list(tmp_path.iterdir()), timeout=60, what="nothing is left")


def test_one_that_has_ended_is_not_ready_and_knows_nothing(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    kept = Kept(broken, {"PATH": "/usr/bin:/bin"})
    assert (kept.is_ready(60), kept.modules()) == (False, [])
    kept.close()
