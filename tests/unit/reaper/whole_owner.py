"""An owner that takes a run through its whole life: start, limits, a snapshot, the end.

usage: whole_owner.py STATE_ROOT CACHE private|shared|world ENTRY
"""

import os
import sys
from pathlib import Path

from stackproof.engines.cache import locked, make_whole
from stackproof.engines.process.control import Control
from stackproof.engines.process.engine import ProcessEngine
from stackproof.engines.process.run_data import copy_data
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.world.spec import InterfaceSpec, MountSpec, RoomSpec
from stackproof.readiness.probes import HealthTiming, LogProbe
from stackproof.reaper.launch import import_path, launch
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
TARGET = 8000
"""The port that services of a private world listen on, each at an address of its own."""


def spec(name, code, run, **fields):
    environment = {**SYSTEM, "STACKPROOF_SERVICE": f"{PROJECT}/{name}"}
    fields = {"cwd": str(run.path), **fields}
    return ServiceSpec(
        name, (os.path.realpath(sys.executable), "-I", "-S", "-c", code), environment,
        stop_grace=0.2, probe=LogProbe("^ready$"),
        timing=HealthTiming(interval=5.0, start_interval=0.1), **fields,
    )  # fmt: skip


def in_a_room(name, number, run):
    """What makes a service one of a private world, with mounts of each kind."""
    place = run.path / "world" / name
    python = os.path.realpath(sys.base_prefix)
    mounts = [] if python == "/usr" else [MountSpec(python, python, read_only=True)]
    kept, app = run.path / "volumes" / name, run.path / "app"
    for folder in (kept, app):
        folder.mkdir(parents=True, exist_ok=True)
    mounts += [
        MountSpec("/kept", str(kept)),
        MountSpec("/app", str(app), "overlay", upper=str(place / "app")),
        MountSpec("/scratch", kind="tmpfs", size="16m"),
    ]
    address = InterfaceSpec("net", f"172.18.0.{number}", 16, "172.18.0.1", (name,))
    room = RoomSpec(name, str(place / "root"), (address,), mounts=tuple(mounts))
    return {"cwd": "/", "room": room}


def specs(run, port):
    scratch = run.path / "scratch"
    scratch.mkdir()
    return [
        spec("plain", PLAIN.replace("PORT", str(port)), run, memory=1 << 30, cpus=1.0),
        spec("daemon", DAEMON, run, pids=100, tmpfs={str(scratch): "16m"}),
    ]


def specs_in_rooms(run, ports):
    code = PLAIN.replace("PORT", str(TARGET)).replace("127.0.0.1", "")
    served = [
        spec(name, code, run, ports=(port,), container_ports=(TARGET,), **in_a_room(name, at, run))
        for at, (name, port) in enumerate(zip(("plain", "same"), ports, strict=True), start=2)
    ]
    return [
        *served,
        spec("daemon", DAEMON, run, pids=100, **in_a_room("daemon", 4, run)),
    ]


def write_data(run):
    run.data.mkdir()
    for number in range(FILES):
        (run.data / f"file-{number}").write_bytes(os.urandom(20_000))


def main():
    root, cache, namespaces, entry_name = sys.argv[1:]
    run = RunFolder(Path(root), PROJECT)
    argv = [sys.executable, "-m", "stackproof.engines.process.supervisor", "--run-folder"]
    is_world = namespaces == "world"
    lease = launch(
        run, [*argv, str(run.path)], environment={**SYSTEM, **import_path(os.environ)},
        private=namespaces != "shared", world=is_world,
    )  # fmt: skip
    ports = lease.claim_ports(2)
    control = Control(run)
    control.wait_for_supervisor()
    control.start(specs_in_rooms(run, ports) if is_world else specs(run, ports[0]))
    write_data(run)
    control.wait_ready(60, lambda _: None)
    entry = Path(cache) / "snapshots" / entry_name
    with locked(entry):
        make_whole(entry, lambda draft: copy_data(run.data, draft / "data"), intend=lease.intend)
    ProcessEngine({}, Path(cache)).shut_down(run, 10.0, print)


if __name__ == "__main__":
    main()
