"""The isolation receipt of the reference stack, against the interpreters that it does without."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

from benchmarks import results
from benchmarks.stack import SILENT, resolved, state_folder
from stackproof import lifecycle

ROUNDS = 11


def receipt() -> None:
    """Of all services of the reference stack in its private world, as often as a median needs."""
    ours, others = [], []
    with state_folder() as state:
        made = resolved(state)
        assert made.plan.world == "private", made.world.notice
        started = lifecycle.up(made, SILENT, hold=True)
        for _ in range(ROUNDS):
            taken = started.stack.running.receipt()
            assert taken is not None
            ours.append(taken.milliseconds)
            began = time.monotonic()
            for _ in taken.services:
                subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
            others.append((time.monotonic() - began) * 1000)
        count = len(taken.services)
        lifecycle.down(replace(made, plan=started.stack.plan), SILENT, force=True)
    results.write(
        "receipt", f"isolation receipt of {count} services, 16 probes in each", ours=ours,
        other=others, other_is="a bare interpreter started for each service", unit="ms",
        bound=150, absolute=True,
    )  # fmt: skip
