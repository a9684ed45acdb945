"""From `stackproof init` to the first green test, for stacks of other people."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from tests.strangers.stranger import KINDS, Kind, Stranger

from benchmarks import results

AGAIN = 1
THREE_MINUTES = 180


def adoption(kind: Kind) -> None:
    """A stranger on the process engine: with an empty cache, and again with what that left."""
    with tempfile.TemporaryDirectory(prefix="stackproof-bench-") as folder:
        outer = Path(folder)
        outer.chmod(0o755)  # servers do not run as root
        first, *again = [_seconds(kind, outer, number) for number in range(1 + AGAIN)]
    results.write(
        f"adoption-{kind.name}", f"from `init` to green, {kind.name}, empty cache",
        ours=[first], other=again, other_is="the same repository with what the cache has then",
        unit="s", bound=THREE_MINUTES, absolute=True,
    )  # fmt: skip


ADOPTIONS = {f"adoption-{kind.name}": partial(adoption, kind) for kind in KINDS}


def _seconds(kind: Kind, outer: Path, number: int) -> float:
    place = outer / str(number)
    place.mkdir()
    own = {"STACKPROOF_CACHE_DIR": str(outer / "cache"), "STACKPROOF_ENGINE": "process"}
    stranger = Stranger(kind, place, place, environment=own)
    try:
        return stranger.adopt()
    finally:
        stranger.end()
