"""Starts a run: its reaper first, which makes everything else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stackproof.reaper.handles import forget_ended, note_child
from stackproof.reaper.lease import Launched, Lease, note_launch
from stackproof.reaper.leftovers import refuse_foreign_root
from stackproof.reaper.order import Order
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import ProcessId
from stackproof.reaper.waking import MARK

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from stackproof.reaper.daemon import main; main()"
)


def launch(
    run: RunFolder,
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    owner: ProcessId | None = None,
    private: bool = True,
    world: bool = False,
    docker_host: str = "",
    overlays: Mapping[str, object] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Lease:
    """Start a run's reaper, which makes the run folder and starts the supervisor.

    Args:
        run: The run; its folder must not exist.
        argv: The supervisor's program, an absolute path, and its arguments.
        environment: The supervisor's whole environment.
        owner: Whose death ends the run; None for the calling process.
        private: Whether to try for a PID namespace.
        world: Whether the supervisor has a private world, with all rights in it.
        docker_host: The Docker Engine that may have things of the run; empty where none has.
        overlays: Copies of folders at their own paths, as `reaper.overlays` takes them.
        say: Takes a line where the reaper is slow to answer.

    Returns:
        The lease, held by this process; its `refused` names what could not be copied.

    Raises:
        Refused: If the state root is not safe to use.
        StorageFailed: If the run folder can't be made.
        StartFailed: If the reaper or the supervisor could not start; nothing is left then.
    """
    order = Order(
        run_id=uuid.uuid4().hex[:16],
        project=run.project,
        folder=str(run.path),
        owner=owner or ProcessId.current(),
        argv=tuple(argv),
        env=dict(environment),
        private=private,
        world=world,
        docker_host=docker_host,
        overlays=dict(overlays or {}),
    )
    ours, reaper = _spawn(run, output := _memory_file())
    lease = Lease(run, order.run_id, reaper, ours, output=output, say=say)
    note_launch(Launched(run, order.run_id, reaper, bool(docker_host)))
    _give(order, lease, ours, reaper)
    return lease


def _memory_file() -> int | None:
    return os.memfd_create("reaper") if hasattr(os, "memfd_create") else None


def _give(order: Order, lease: Lease, ours: socket.socket, reaper: ProcessId) -> None:
    """Tell the reaper what to do, and wait until it has done so; else nothing is left of it."""
    try:
        ours.sendall(order.to_line())
        _take_first_answer(lease)
    except BaseException:
        reaper.kill(signal.SIGTERM)
        lease.close()
        raise


def import_path(environment: Mapping[str, str]) -> dict[str, str]:
    """PYTHONPATH of a caller, by which alone its programs may find stackproof; absolute.

    Args:
        environment: The caller's environment.
    """
    given = environment.get("PYTHONPATH", "")
    paths = [os.path.abspath(path) for path in given.split(os.pathsep) if path]  # noqa: PTH100 - links stay
    return {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}


def _spawn(run: RunFolder, output: int | None) -> tuple[socket.socket, ProcessId]:
    """Start a reaper, which waits for its order; gives this process's side of the connection.

    Args:
        run: The run.
        output: Where its errors go; None to lose them.
    """
    refuse_foreign_root(run.root)
    forget_ended()
    ours, theirs = socket.socketpair()
    source = str(Path(__file__).parents[2])
    try:
        reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT, source, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if output is None else output,
            env={"PATH": os.defpath, MARK: str(run.path)},
        )
    except BaseException:
        ours.close()
        if output is not None:
            os.close(output)
        raise
    finally:
        theirs.close()
    reaper.returncode = 0  # it is not waited for: it may outlive this process
    note_child(reaper.pid)
    return ours, ProcessId.of(reaper.pid) or ProcessId(reaper.pid, 0)


def _take_first_answer(lease: Lease) -> None:
    """Wait until the supervisor runs, and keep what the reaper says of it."""
    answer = lease.answer()
    lease.namespace = str(answer["kind"])
    refused = answer.get("refused")
    lease.refused = dict(refused) if isinstance(refused, dict) else {}
