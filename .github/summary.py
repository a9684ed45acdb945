"""Writes one table of the scenarios that a workflow has run in jobs of their own.

`python3 summary.py scenarios.json FOLDER`: the list that the jobs were made from, and a folder
with their `junit.xml`. The exit status is 1 if a scenario has failed or has no result.
"""

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

NO_RESULT = "no result"
BAD = ("failed", NO_RESULT)

Result = tuple[str, float]
"""How a scenario ended, and the seconds that it took."""


def main(listed: Path, results: Path) -> int:
    """Print the table; gives the exit status."""
    scenarios = [one["id"] for one in json.loads(listed.read_text(encoding="utf-8"))]
    known = dict(found for path in sorted(results.rglob("junit.xml")) for found in read(path))
    rows = [(name, *known.get(key_of(name), (NO_RESULT, 0.0))) for name in scenarios]
    bad = sum(outcome in BAD for _, outcome, _ in rows)
    print(f"{len(rows)} scenarios, {bad} of them without success\n")
    print("| scenario | result | seconds |\n|---|---|---|")
    for name, outcome, seconds in sorted(rows, key=lambda row: row[1] not in BAD):
        print(f"| `{name}` | {outcome} | {seconds:.1f} |".replace("\n", " "))
    return int(bad > 0 or not rows)


def key_of(scenario: str) -> tuple[str, str]:
    """The name of a test in `junit.xml`: its class, and its own name."""
    path, *classes = scenario.partition("[")[0].split("::")
    name = classes.pop() + "".join(scenario.partition("[")[1:])
    return ".".join([path.removesuffix(".py").replace("/", "."), *classes]), name


def read(path: Path) -> Iterator[tuple[tuple[str, str], Result]]:
    """The results of a file."""
    for case in ET.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "skipped" if "skipped" in kinds else "passed"
        if kinds & {"failure", "error"}:
            outcome = "failed"
        key = case.get("classname", ""), case.get("name", "")
        yield key, (outcome, float(case.get("time", "0")))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
