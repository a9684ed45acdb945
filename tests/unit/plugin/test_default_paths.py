"""Paths that a session gives to pytest give way to those that a person names."""

import subprocess
import sys

import pytest

from stackproof.suites.pytest_arguments import replaceable


@pytest.fixture
def collected(tmp_path):
    """The tests that pytest finds in a small project."""
    for name in ("scenarios/test_a.py", "scenarios/test_b.py", "other/test_c.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("def test_one(): pass\ndef test_two(): pass\n")
    (tmp_path / "scenarios/conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--color-of-things')\n"
    )

    def collect(*words):
        arguments = ["--collect-only", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments, f"--rootdir={tmp_path}",
             *replaceable(["scenarios"]), *words],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return [line for line in done.stdout.splitlines() if "::" in line]

    return collect


def test_without_a_path_all_of_the_default_runs(collected):
    assert len(collected()) == 4


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["scenarios/test_a.py"], 2),
        (["scenarios/test_a.py::test_two"], 1),
        (["-k", "two", "scenarios/test_b.py"], 1),
        (["other"], 2),
        (["scenarios/test_a.py", "scenarios/test_b.py::test_one"], 3),
        (["scenarios"], 4),
        (["-n", "2", "scenarios/test_a.py"], 2),
        (["--color-of-things", "scenarios", "scenarios/test_a.py"], 2),
    ],
)
def test_a_path_or_id_of_a_test_narrows(collected, words, expected):
    assert len(collected(*words)) == expected


def test_an_option_of_the_default_folders_conftest_is_known(collected):
    assert len(collected("--color-of-things", "red")) == 4
