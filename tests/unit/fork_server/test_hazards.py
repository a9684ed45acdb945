"""The page of warm starts names a test for each hazard of forking, and each of them exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| (.+?) \| .+ \| (.+) \|$", re.MULTILINE)


def rows():
    text = (ROOT / "docs" / "explanation" / "warm-starts.md").read_text()
    table = text.partition("| hazard |")[2].partition("\n\n")[0]
    return [(hazard, named) for hazard, named in ROW.findall(table) if hazard != "---"]


def test_each_hazard_has_a_test_that_exists():
    known = {
        name
        for path in (ROOT / "tests").glob("**/test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    found = rows()
    assert len(found) > 20
    for hazard, named in found:
        tests = re.findall(r"`(test_\w+)`", named)
        assert tests, hazard
        assert set(tests) <= known, hazard
