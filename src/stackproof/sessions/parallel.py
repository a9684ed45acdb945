"""How many tests of a suite this machine can run at a time."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import nox

from stackproof.errors import ConfigError
from stackproof.isolation.pool import ROOM_BYTES, usable_cpus
from stackproof.sessions.scenarios import ReadRequest, environment_of, program_of

FEWEST = 2


def workers_of(session: nox.Session, read: Sequence[ReadRequest]) -> list[str]:
    """The arguments by which pytest runs as many tests at a time as the machine can.

    Args:
        session: The nox session.
        read: The suite on each of its stacks.

    Raises:
        ConfigError: If tests share a stack.
    """
    import psutil

    for request, resolved in read:
        suite = resolved.settings.suite(request.suite)
        _refuse_shared(request.name, request.isolation or suite.isolation, resolved.plan.engine)
    needed = max(resolved.settings.isolation.memory or ROOM_BYTES for _, resolved in read)
    cpus, free = usable_cpus(), psutil.virtual_memory().available
    count = workers(cpus, free, needed)
    session.log(
        f"{count} tests at a time: {cpus} processors, {free / 2**30:.1f} GiB of memory free, "
        f"{needed / 2**30:.1f} GiB for a test"
    )
    return ["-n", str(count)]


def workers(cpus: int, free: int, needed: int) -> int:
    """How many tests run at a time, at least two.

    Args:
        cpus: Processors that this process may use.
        free: Bytes of memory that are free.
        needed: Bytes for the stack of a test.
    """
    return max(FEWEST, min(cpus, free // needed))


def _refuse_shared(name: str, isolation: str, engine: str) -> None:
    if engine == "attached":
        why, remedy = "the stack is attached: there is one for all tests", "remove --parallel"
    elif isolation == "shared":
        why, remedy = "the isolation is shared: all tests use one stack", "add --isolation test"
    else:
        return
    raise ConfigError(
        f"--parallel can't be honoured for {name}",
        source="command line",
        observed=why,
        remedy=remedy,
    )


def require_xdist(session: nox.Session) -> None:
    """Make sure that the pytest of a session can run tests in parallel.

    Args:
        session: The nox session, whose environment is installed.

    Raises:
        ConfigError: If pytest-xdist is missing.
    """
    done = subprocess.run(
        [program_of(session, "python"), "-c", "import xdist"],
        env=environment_of(session), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ConfigError(
            "--parallel needs pytest-xdist",
            source="command line",
            observed=done.stderr.strip().rpartition("\n")[2],
            remedy="add pytest-xdist to the requirements of the session",
        )
