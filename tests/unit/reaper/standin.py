"""Stands in for a supervisor: starts services that don't want to end, and watches its reaper.

usage: standin.py RUN_FOLDER SERVICE...   with SERVICE one of those below
"""

import os
import select
import signal
import sys
import time
from pathlib import Path

from stackproof.reaper.kernel import become_subreaper
from stackproof.reaper.removal import remove_abandoned
from stackproof.reaper.sweep import kill_descendants

PLAIN = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
DAEMON = (
    "import os, signal, time\n"
    "signal.signal(15, signal.SIG_IGN)\n"
    "for _ in range(2):\n"
    "    if os.fork(): os._exit(0)\n"
    "    os.setsid()\n"
    "os.closerange(0, 64)\n"
    "time.sleep(600)\n"
)
HOPPER = (
    "import os, time\n"
    "end = time.time() + 600\n"
    "while time.time() < end:\n"
    "    if os.fork(): os._exit(0)\n"
    "    os.setsid()\n"
    "    time.sleep(0.002)\n"
)
FROZEN = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
HIDDEN = (
    "import os, sys\n"
    "for _ in range(2):\n"
    "    if os.fork(): os._exit(0)\n"
    "    os.setsid()\n"
    "os.chdir('/')\n"
    "os.closerange(0, 256)\n"
    "code = 'import os, signal, time; signal.signal(15, signal.SIG_IGN); '\n"
    "code += f'open({sys.argv[2]!r} + str(os.getpid()), \"w\").close(); time.sleep(600)'\n"
    "os.execve(sys.executable, ['[kworker/0:1]', '-I', '-S', '-c', code], {})\n"
)
"""Leaves its session, its parents, its folder, its environment and its name."""

CROWD = (
    "import os, sys, time\n"
    "for _ in range(3):\n"
    "    if os.fork() == 0: break\n"
    "else: sys.exit()\n"
    "os.setsid()\n"
    "end = time.monotonic() + 600\n"
    "while time.monotonic() < end:\n"
    "    if os.fork(): os._exit(0)\n"
    "    time.sleep(0.05)\n"
)
"""Several that are never the same process for long."""

SERVICES = {
    "hidden": HIDDEN,
    "crowd": CROWD,
    "plain": PLAIN,
    "daemon": DAEMON,
    "hopper": HOPPER,
    "frozen": FROZEN,
}


def main():
    folder, *services = sys.argv[1:]
    pids = Path(folder).parents[2] / "pids"
    pids.mkdir(exist_ok=True)
    become_subreaper()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for service in services:
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", SERVICES[service], "stubborn", f"{pids}/"],
            os.environ,
        )
    while "hidden" in services and not list(pids.iterdir()):
        time.sleep(0.005)
    Path(folder, "started").touch()
    link = int(os.environ["STACKPROOF_REAPER_FD"])
    while not select.select([link], [], [], 0.05)[0]:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            time.sleep(0.05)
    if os.getpid() == 1:
        os.kill(-1, signal.SIGKILL)
    else:
        kill_descendants(os.getpid(), seconds=5)
    remove_abandoned(folder, os.environ["STACKPROOF_RUN"])


if __name__ == "__main__":
    main()
