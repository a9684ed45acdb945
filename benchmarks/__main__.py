"""python -m benchmarks [NAME …]: measure, keep the results, make the table.

A name stands for those that begin with it as well: `isolated` for `isolated-warm`. That of a result
stands for the measurement that gives it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import chain

from benchmarks.measurements import ALL
from benchmarks.results import write_table


def main() -> None:
    """Measure what the command line names, or everything."""
    unknown = [name for name in sys.argv[1:] if not _named(name)]
    if unknown:
        sys.exit(f"there is no measurement {', '.join(unknown)}; known: {', '.join(ALL)}")
    for measure in dict.fromkeys(chain.from_iterable(map(_named, sys.argv[1:] or ALL))):
        measure()
    write_table()


def _named(name: str) -> list[Callable[[], None]]:
    found = [ALL[one] for one in ALL if one == name or one.startswith(f"{name}-")]
    givers = [one for one in ALL if name.startswith(f"{one}-")]
    return found or [ALL[one] for one in sorted(givers, key=len)[-1:]]


if __name__ == "__main__":
    main()
