"""The isolation receipt of the stack that is up, else of a trial service on this machine."""

from __future__ import annotations

import secrets

from stackproof.engines.process.engine import ProcessEngine
from stackproof.engines.receipt import Receipt
from stackproof.errors import Refused
from stackproof.lifecycle import ResolvedStack, connect
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.run_folder import RunFolder


def receipt_of(resolved: ResolvedStack) -> tuple[str, Receipt]:
    """Whose receipt it is, and the receipt.

    Args:
        resolved: The stack.

    Raises:
        Refused: If its engine can't take one.
    """
    engine, plan = resolved.engine, resolved.plan
    if not isinstance(engine, ProcessEngine):
        raise Refused(
            f"the {plan.engine} engine takes no isolation receipt",
            observed="probes are tried inside services, and only the process engine can do so",
            remedy="use `--engine process`",
        )
    state = read_run(resolved.run.path)
    if state is not None and state.is_alive:
        receipt = connect(resolved).running.receipt()
        if receipt is not None:
            return plan.project, receipt
    run = RunFolder(resolved.run.root, f"isolation-{secrets.token_hex(4)}")
    return "a trial service", engine.try_isolation(run, plan.world, hermetic=plan.hermetic)
