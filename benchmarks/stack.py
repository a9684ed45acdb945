"""A copy of the reference stack for measuring, and its services started by hand."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from stackproof import lifecycle
from stackproof.engines.base import Launch
from stackproof.engines.process.control import Control
from stackproof.engines.process.engine import ProcessEngine
from stackproof.engines.process.preparation import Preparation
from stackproof.engines.process.spec import ServiceSpec
from stackproof.readiness.asking import Surroundings, ask
from stackproof.readiness.probes import LogProbe

ROOT = Path(__file__).parent.parent
SILENT = lambda _: None  # noqa: E731 - takes a line and drops it


@contextmanager
def state_folder() -> Iterator[str]:
    """A state root that servers which do not run as root can pass through."""
    with tempfile.TemporaryDirectory(prefix="stackproof-bench-") as folder:
        Path(folder).chmod(0o755)
        yield f"{folder}/state"


def resolved(state: str) -> lifecycle.ResolvedStack:
    """The reference stack under a fresh name, on free ports, without coverage."""
    environment = {**os.environ, "STACKPROOF_STATE_DIR": state}
    made = lifecycle.resolve(lifecycle.StackRequest(ROOT, environment, suite="integration"))
    return replace(made, settings=replace(made.settings, coverage=False))


def specs(started: lifecycle.Started, made: lifecycle.ResolvedStack) -> list[ServiceSpec]:
    """What the engine runs, as it runs it."""
    control = Control(made.run)
    assert isinstance(made.engine, ProcessEngine)
    launch = Launch(started.stack.plan, made.run, SILENT)
    preparation = Preparation(launch, control, made.engine.environment, made.engine.cache)
    return [preparation.spec(service) for service in started.stack.plan.services]


def by_hand(spec: ServiceSpec) -> tuple[float, float]:
    """Seconds from the start of a service by hand to ready, and from its stop signal to its end."""
    with tempfile.TemporaryFile() as log:
        began = time.monotonic()
        process = subprocess.Popen(
            spec.argv, env=dict(spec.env), cwd=spec.cwd, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True, user=spec.uid, group=spec.uid,
            extra_groups=None if spec.uid is None else [],
        )  # fmt: skip
        try:
            asyncio.run(_until_ready(spec, process, log))
            ready = time.monotonic() - began
            began = time.monotonic()
            process.send_signal(signal.Signals[spec.stop_signal])
            with suppress(subprocess.TimeoutExpired):  # the end of its grace, as for an engine
                process.wait(timeout=spec.stop_grace)
            return ready, time.monotonic() - began
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


async def _until_ready(spec: ServiceSpec, process: subprocess.Popen, log) -> None:
    import re

    def has_written(pattern: str) -> bool:
        data = os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace")
        return re.search(pattern, data, re.MULTILINE) is not None

    around = Surroundings(None, has_written, lambda: 0.0)
    while spec.probe is not None and await ask(spec.probe, around):
        assert process.poll() is None, f"{spec.name} has ended"
        await asyncio.sleep(0.05 if isinstance(spec.probe, LogProbe) else 0.01)


def longest_chain(specs: list[ServiceSpec], seconds: dict[str, float]) -> float:
    """The largest sum of start times along dependencies."""
    known = {spec.name: spec for spec in specs}

    def total(name: str) -> float:
        below = [total(other) for other in known[name].depends_on if other in known]
        return seconds[name] + max(below, default=0.0)

    return max(total(name) for name in known)
