"""One JSON file a measurement, and the table that is made from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

FOLDER = Path(__file__).parent / "results"
README = Path(__file__).parent / "README.md"
HEAD = """# Benchmarks

Each row compares stackproof with a floor or another tool, measured in turn in the same run. The
values are medians; `results/` has all runs. The machine is small and shared, so single values vary,
and the ratio counts. `./dev nox -s bench` (or `./dev nox -s bench -- NAME …`) repeats the
measurements and rewrites this table.

| name | what | ours | other | other is | ratio or difference | target | met |
|---|---|---|---|---|---|---|---|
"""


def write(
    name: str,
    what: str,
    *,
    ours: Sequence[float],
    other: Sequence[float],
    other_is: str,
    unit: str,
    bound: float | None,
    difference: bool = False,
    absolute: bool = False,
) -> None:
    """Keep a measurement.

    Args:
        name: Names the file.
        what: What was measured.
        ours: Our runs.
        other: The floor's runs.
        other_is: What the floor is.
        unit: Of both.
        bound: Upper bound of the ratio, of the difference, or of ours; None for a comparison alone.
        difference: Whether the target is about ours minus other.
        absolute: Whether the target is about ours alone.
    """
    one, two = median(ours), median(other)
    value = one - two if difference else one / two
    result = {
        "name": name,
        "what": what,
        "ours": round(one, 4),
        "other": round(two, 4),
        "other_is": other_is,
        "unit": unit,
        "ratio": round(value, 3),
        "ratio_is": f"ours - other, {unit}" if difference else "ours / other",
        "target": _target(bound, unit if absolute else ""),
        "met": bound is None or (one if absolute else value) <= bound,
        "runs": {"ours": [round(x, 4) for x in ours], "other": [round(x, 4) for x in other]},
        "command": f"./dev nox -s bench -- {name}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    verdict = "met" if result["met"] else "MISSED"
    print(
        f"{name}: ours {one:.3f} {unit}, other {two:.3f}, {result['ratio_is']} = {value:.3f}, "
        f"target {result['target']}: {verdict}",
        flush=True,
    )


def _target(bound: float | None, unit: str) -> str:
    if bound is None:
        return "none"
    return f"ours <= {bound:g} {unit}" if unit else f"<= {bound:g}"


def write_table() -> None:
    """Make the table anew from all results."""
    rows = []
    for path in sorted(FOLDER.glob("*.json")):
        one = json.loads(path.read_text())
        rows.append(
            f"| {one['name']} | {one['what']} | {one['ours']} {one['unit']} | "
            f"{one['other']} {one['unit']} | {one['other_is']} | {one['ratio']} | "
            f"{one['target']} | {_met(one)} |"
        )
    README.write_text(HEAD + "\n".join(rows) + "\n")


def _met(one: dict) -> str:
    if one["target"] == "none":
        return "-"
    return "yes" if one["met"] else "no"
