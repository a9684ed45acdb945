"""An owner that takes a run through its whole life: start, limits, a snapshot, the end.

usage: whole_owner.py STATE_ROOT CACHE private|shared ENTRY
"""

import os
import sys
from pathlib import Path

from stackproof.engines.cache import locked, make_whole
from stackproof.engines.process.control import Control
from stackproof.engines.process.engine import ProcessEngine
from stackproof.engines.process.snapshot_keeper import copy_data
from stackproof.engines.process.spec import ServiceSpec
from stackproof.readiness.probes import HealthTiming, LogProbe
from stackproof.reaper.launch import launch
from stackproof.reaper.run_folder import RunFolder

PROJECT = "kills-e2e"
SYSTEM = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
PLAIN = (
    "import signal, socket, time; signal.signal(15, signal.SIG_IGN)\n"
    "listening = socket.create_server(('127.0.0.1', PORT)); print('ready', flush=True)\n"
    "time.sleep(600)\n"
)
DAEMON = (
    "import os, signal, time\n"
    "signal.signal(15, signal.SIG_IGN)\n"
    "if os.fork(): print('ready', flush=True); time.sleep(600)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "os.closerange(0, 64)\n"
    "time.sleep(600)\n"
)
FILES = 60


def spec(name, code, run, **fields):
    environment = {**SYSTEM, "STACKPROOF_SERVICE": f"{PROJECT}/{name}"}
    return ServiceSpec(
        name, (sys.executable, "-I", "-S", "-c", code), environment,
        cwd=str(run.path), stop_grace=0.2, probe=LogProbe("^ready$"),
        timing=HealthTiming(interval=5.0, start_interval=0.1), **fields,
    )  # fmt: skip


def write_data(run):
    run.data.mkdir()
    for number in range(FILES):
        (run.data / f"file-{number}").write_bytes(os.urandom(20_000))


def main():
    root, cache, namespaces, entry_name = sys.argv[1:]
    run = RunFolder(Path(root), PROJECT)
    argv = [sys.executable, "-m", "stackproof.engines.process.supervisor", "--run-folder"]
    lease = launch(run, [*argv, str(run.path)], environment=SYSTEM, private=namespaces == "private")
    (port,) = lease.claim_ports(1)
    control = Control(run)
    control.wait_for_supervisor()
    scratch = run.path / "scratch"
    scratch.mkdir()
    control.start(
        [
            spec("plain", PLAIN.replace("PORT", str(port)), run, memory=1 << 30, cpus=1.0),
            spec("daemon", DAEMON, run, pids=100, tmpfs={str(scratch): "16m"}),
        ]
    )
    write_data(run)
    control.wait_ready(60, lambda _: None)
    entry = Path(cache) / "snapshots" / entry_name
    with locked(entry):
        make_whole(entry, lambda draft: copy_data(run.data, draft / "data"), intend=lease.intend)
    ProcessEngine({}, Path(cache)).shut_down(run, 10.0, print)


if __name__ == "__main__":
    main()
