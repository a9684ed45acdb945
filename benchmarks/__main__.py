"""python -m benchmarks [NAME …]: measure, keep the results, make the table."""

from __future__ import annotations

import sys

from benchmarks.measurements import ALL
from benchmarks.results import write_table


def main() -> None:
    """Measure what the command line names, or everything."""
    unknown = [name for name in sys.argv[1:] if name not in ALL]
    if unknown:
        sys.exit(f"there is no measurement {', '.join(unknown)}; known: {', '.join(ALL)}")
    for measure in dict.fromkeys(ALL[name] for name in sys.argv[1:] or ALL):
        measure()
    write_table()


if __name__ == "__main__":
    main()
