"""All probes of a receipt, in order, and what a forked process of a service does with them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping

from stackproof.engines.process.receipt import files, machine, network
from stackproof.engines.process.receipt.attempts import Ways, outcome_of, worst
from stackproof.engines.process.receipt.targets import Targets

PROBES: Mapping[str, Callable[[Targets], Ways]] = {
    "outside": files.outside,
    "programs": files.programs,
    "keys": files.keys,
    "ports": network.ports,
    "published": network.published,
    "names": network.names,
    "abstract": network.abstract,
    "packets": network.packets,
    "processes": machine.processes,
    "memory": machine.memory,
    "shared_memory": machine.shared_memory,
    "devices": machine.devices,
    "cgroups": machine.control_groups,
    "mounts": machine.mounts,
    "rights": machine.rights,
    "sysctl": machine.settings,
}
"""Key → the attempts of the probe."""


def run_all(targets: Targets) -> None:
    """Make all attempts, and write a line of JSON for each probe to standard output.

    A line is written as soon as a probe is done, so that one that hangs costs none but itself.
    """
    for name, probe in PROBES.items():
        outcomes = [outcome_of(attempt) for attempt in probe(targets)]
        found = {
            "probe": name,
            "verdict": worst(outcome.verdict for outcome in outcomes),
            "attempts": [outcome._asdict() for outcome in outcomes],
        }
        os.write(1, json.dumps(found).encode() + b"\n")
