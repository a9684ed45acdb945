"""Finds out which modules a program's fork server may import ahead, by trying it apart."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackproof.engines.process.fork_server.known import Approved
from stackproof.engines.process.fork_server.preloading import BY_LIBRARIES, OF_EACH_COPY
from stackproof.engines.process.fork_server.values import differing

PASSES = 5
SECONDS = 300.0

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from stackproof.engines.process.fork_server.examining import main; main()"
)

_THE_SAME = ("PATH", "HOME", "VIRTUAL_ENV", "TMPDIR", *BY_LIBRARIES)
"""Variables, by their beginnings, that are never changed for a trial."""


def approve(
    python: Path, environment: Mapping[str, str], modules: Sequence[str], varying: Sequence[str]
) -> Approved:
    """Find out what may be imported ahead; takes as long as importing it, a few times at the most.

    Args:
        python: Interpreter of the virtualenv.
        environment: What all copies share.
        modules: What the program has imported.
        varying: Variables that differ from copy to copy.

    Returns:
        Neither modules nor a reason where it could not be tried, as at a time-out.
    """
    wanted: list[str] = list(modules)
    left_out: dict[str, str] = {}
    for _ in range(PASSES):
        found = _examine(python, environment, wanted)
        if found is None:
            return Approved()
        offenders = _offenders(found, {*varying, *OF_EACH_COPY})
        if not offenders and found["faults"]:
            return Approved(cold="; ".join(found["faults"]), examined=tuple(modules))
        if not offenders:
            failed = set(found["failed"])
            fit = tuple(name for name in wanted if name not in failed)
            return Approved(fit, left_out, examined=tuple(modules))
        left_out.update(offenders)
        wanted = _without(wanted, offenders)
    return _too_much(left_out, modules)


def compare(python: Path, environment: Mapping[str, str], approved: Approved) -> Approved:
    """Try whether what modules hold depends on their environment in a way that nobody sees.

    They are imported in two environments; what differs by chance is told from what does not by a
    third import.

    Args:
        python: As for `approve`.
        environment: The same.
        approved: What may be imported ahead otherwise.

    Returns:
        What may be imported ahead; as `approve` does where it could not be tried.
    """
    wanted, left_out = [*approved.modules], dict(approved.left_out)
    for _ in range(PASSES):
        found = _examine(python, environment, wanted, sums=True)
        other = found and _examine(
            python, _changed(environment, found["read"]), wanted, sums=True, elsewhere=True
        )
        if found is None or other is None:
            return Approved()
        differ = differing(found["sums"], other["sums"])
        again = _examine(python, environment, wanted, sums=True) if differ else found
        if again is None:
            return Approved()
        by_chance = differing(found["sums"], again["sums"])
        offenders = _different(found, other, differ.keys() - by_chance.keys())
        if not offenders:
            return replace(approved, modules=tuple(wanted), left_out=left_out, compared=True)
        left_out.update(offenders)
        wanted = _without(wanted, offenders)
    return _too_much(left_out, approved.examined)


def _changed(environment: Mapping[str, str], read: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """An environment in which all variables differ that no module was seen to read."""
    seen = {name for names in read.values() for name in names}
    return {
        name: value
        if name in seen or "*" in seen or name.startswith(_THE_SAME)
        else f"{value}-otherwise"
        for name, value in environment.items()
    }


def _different(
    found: Mapping[str, Any], other: Mapping[str, Any], modules: set[str]
) -> dict[str, str]:
    """Modules that can't be imported ahead, since they, or what they bring, differ elsewhere."""
    brought, differ = found["brought"], differing(found["sums"], other["sums"])
    offenders = {}
    for name in sorted(modules):
        reason = f"the value of {name}.{differ[name]} differs between two environments"
        offenders[brought.get(name, name)] = reason
    for name in sorted({*other["failed"]} - {*found["failed"]}):
        offenders[name] = "it can't be imported in another environment"
    return offenders


def _examine(
    python: Path,
    environment: Mapping[str, str],
    modules: Sequence[str],
    *,
    sums: bool = False,
    elsewhere: bool = False,
) -> dict[str, Any] | None:
    source = str(Path(__file__).parents[4])
    seed = {"PYTHONHASHSEED": "0"} if sums else {}
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        done = subprocess.run(
            [str(python), "-c", _BOOT, source],
            input=json.dumps({"modules": list(modules), "sums": sums, "elsewhere": elsewhere}),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env={**environment, **seed},
            cwd="/",
            start_new_session=True,  # it removes its folder also when this process is killed
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    return None


def _offenders(found: Mapping[str, Any], varying: set[str]) -> dict[str, str]:
    """Modules that can't be imported ahead, each with the reason."""
    offenders = {name: f"its import {deeds[0]}" for name, deeds in found["deeds"].items()}
    for name, read in found["read"].items():
        if names := sorted(varying.intersection(read)):
            offenders.setdefault(name, f"it reads {', '.join(names)}, which differs")
    return offenders


def _without(modules: Sequence[str], offenders: Mapping[str, str]) -> list[str]:
    """Modules but for offenders and what is within them."""
    return [
        name
        for name in modules
        if name not in offenders and not any(name.startswith(f"{one}.") for one in offenders)
    ]


def _too_much(left_out: Mapping[str, str], examined: Sequence[str]) -> Approved:
    told = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
    cold = f"what its packages do when they are imported: {told}"
    return Approved((), left_out, cold, tuple(examined))
