"""What is known of data that `down --keep-data` has left: whose they are, and their origin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from stackproof.errors import Refused
from stackproof.plan.model import Plan
from stackproof.plan.services.data_origin import Origin, data_origin, misfits
from stackproof.reaper import ownership
from stackproof.reaper.leftovers import refused
from stackproof.reaper.ownership import NotOurs
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack.checkout import Checkout


@dataclass(frozen=True)
class KeptData:
    """The note of data that an engine keeps of a run.

    Attributes:
        checkout: Where the stack was started from.
        origins: What the data of each server were made from.
    """

    checkout: Checkout
    origins: Mapping[str, Origin]


def origins_of(plan: Plan) -> dict[str, Origin]:
    """What the data of each server of a plan are made from."""
    found = {service.name: data_origin(service) for service in plan.services}
    return {name: origin for name, origin in found.items() if origin is not None}


def refuse_unfit(what: str, before: Mapping[str, Origin], plan: Plan) -> None:
    """Make sure that the servers of a plan can go on with data.

    Args:
        what: The data, in words.
        before: What they were made from.
        plan: The plan.

    Raises:
        Refused: If a server could not read them, or would not take what is set for it now.
    """
    after = origins_of(plan)
    lines = [
        line
        for name, origin in before.items()
        if name in after
        for line in misfits(name, origin, after[name])
    ]
    if lines:
        raise Refused(
            f"{what} do not fit what the files say now",
            observed="\n".join(lines),
            remedy="`invoke up --fresh` removes them and starts from empty data; or set back what "
            "has changed",
        )


def note_kept(run: RunFolder, engine: str, kept: KeptData) -> None:
    """Write down what is known of data that an engine keeps of a run, beside them.

    Args:
        run: The run.
        engine: The engine's name: each keeps data of its own.
        kept: What is known of them.
    """
    with ownership.opened(str(run.kept.parent), make=True) as handle:
        ownership.write_in(handle, _name(run, engine), json.dumps(vars(kept)).encode())


def read_kept(run: RunFolder, engine: str) -> KeptData | None:
    """What is known of the data that an engine keeps of a run; None where that is nothing.

    Raises:
        Refused: If somebody else could have made the note.
    """
    try:
        note = json.loads(ownership.read_file(str(run.kept.parent), _name(run, engine)))
        return KeptData(Checkout(*note["checkout"]), dict(note["origins"]))
    except NotOurs as error:
        raise refused(error) from None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget_kept(run: RunFolder, engine: str) -> None:
    """Remove the note, when the data belong to a run again or are gone."""
    folder = run.kept.parent
    with suppress(OSError):
        (folder / _name(run, engine)).unlink()
    for parent in (folder, run.root):
        with suppress(OSError):  # not empty
            parent.rmdir()


def _name(run: RunFolder, engine: str) -> str:
    """No project's own folder has a dot in its name."""
    return f"{run.project}.{engine}.json"
