"""The workflows run commands that the sessions take, and tell what became of each scenario."""

import json
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from tests.docs.pages import ROOT
from tests.docs.test_commands import check, without_assignments
from tests.thoroughness import tries_less

WORKFLOWS = {path.name: yaml.safe_load(path.read_text())
             for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}  # fmt: skip

LINES = [
    pytest.param(job, line, id=f"{name}: {line[:60]}")
    for name, workflow in WORKFLOWS.items()
    for job in workflow["jobs"].values()
    for step in job["steps"]
    for line in step.get("run", "").splitlines()
    if line.startswith("./dev")
]


@pytest.fixture(scope="module")
def sessions():
    listed = subprocess.run(
        [sys.executable, "-m", "nox", "--list"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(re.findall(r"^[*-] (\S+) ->", listed.stdout, re.MULTILINE))


@pytest.mark.parametrize(("job", "line"), LINES)
def test_a_workflow_runs_a_command_that_its_tool_takes(job, line, sessions):
    included = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
    for values in included:
        filled = re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda hit: values[hit[1]], line)  # noqa: B023 - used at once
        command = filled.partition(" > ")[0]
        check(without_assignments(shlex.split(command)), sessions | {"gateway_clients"}, set())


def test_one_session_of_the_unit_tests_tries_all(sessions):
    found = {name for name in sessions if name.startswith("unit")}
    assert {name for name in found if not tries_less(name)} == {"unit"}


def test_each_scenario_is_a_job_of_its_own_made_from_the_list_of_the_suite():
    jobs = WORKFLOWS["e2e.yml"]["jobs"]
    [listing] = [step for step in jobs["list"]["steps"] if step.get("id") == "list"]
    assert "--list-scenarios --json" in listing["run"]
    strategy = jobs["scenario"]["strategy"]
    assert strategy["fail-fast"] is False
    assert strategy["matrix"] == {"scenario": "${{ fromJson(needs.list.outputs.scenarios) }}"}
    assert jobs["scenario"]["env"]["SCENARIO"] == "${{ matrix.scenario.id }}"
    kept = [step for step in jobs["scenario"]["steps"] if step.get("if") == "failure()"]
    assert [step["with"]["path"] for step in kept] == [".artifacts"]
    assert jobs["summary"]["needs"] == ["list", "scenario"]
    assert jobs["summary"]["if"] == "always()"


TESTS = """\
import pytest
class TestShop:
    @pytest.mark.parametrize("word", ["a::b", "c[d]"])
    def test_words(self, word): pass
def test_fails(): assert False
def test_skips(): pytest.skip("today")
"""


def summary(tmp_path, scenarios):
    listed = tmp_path / "scenarios.json"
    listed.write_text(json.dumps([{"id": one} for one in scenarios]))
    command = [sys.executable, str(ROOT / ".github/summary.py"), str(listed), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr
    rows = re.findall(r"^\| `(.*)` \| (.*) \| [\d.]+ \|$", done.stdout, re.MULTILINE)
    return done.returncode, dict(rows)


def test_the_summary_says_of_each_scenario_how_it_ended_and_fails_if_one_did(tmp_path):
    (tmp_path / "test_shop.py").write_text(TESTS)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir=.", "-p",
         "no:cacheprovider", "--junitxml=job/junit.xml", "test_shop.py"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    good = ["test_shop.py::TestShop::test_words[a::b]", "test_shop.py::TestShop::test_words[c[d]]"]
    code, ended = summary(tmp_path, good)
    assert (code, ended) == (0, dict.fromkeys(good, "passed"))
    others = {"test_shop.py::test_fails": "failed", "test_shop.py::test_skips": "skipped",
              "test_shop.py::test_never_ran": "no result"}  # fmt: skip
    assert summary(tmp_path, others) == (1, others)
    assert summary(tmp_path, [*good, "test_shop.py::test_never_ran"])[0] == 1
    assert summary(tmp_path, [])[0] == 1
