"""What `--flake-runs` makes of a test, and what is told at the end."""

import re

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.parametrize("word", ["a", "b"])
def test_words(word, request):
    print("ran", request.node.name)

def test_fails_sometimes(request):
    number = int(request.node.name.rpartition("run")[2][:-1])
    assert number % 4, f"failed after {number} s"
"""


@pytest.fixture
def run(pytester):
    def run(*arguments, tests=TESTS):
        pytester.makepyfile(test_it=tests)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    return run


def order(result):
    return re.findall(r"test_it\.py::(\S+)", result.stdout.str())


def test_each_test_runs_so_often_with_each_of_its_parameters(run):
    run("--flake-runs=8").assert_outcomes(passed=22, failed=2)


def test_without_the_option_nothing_is_repeated(run):
    result = run("-k", "words")
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*flake meter*")


def test_the_same_seed_gives_the_same_order_and_another_one_another(run):
    arguments = ("--flake-runs=8", "-k", "words", "-v")
    first = order(run(*arguments, "--flake-seed=5"))
    assert first == order(run(*arguments, "--flake-seed=5"))
    other = order(run(*arguments, "--flake-seed=6"))
    assert first != other
    assert sorted(first) == sorted(other)


def test_workers_agree_on_the_order(run):
    run("--flake-runs=8", "-k", "words", "-n", "2").assert_outcomes(passed=16)


def test_rates_bounds_and_causes_are_told_and_failures_end_the_session_badly(run):
    result = run("--flake-runs=8", "--flake-seed=5")
    result.stdout.fnmatch_lines(
        [
            "*flake meter*",
            "8 runs of each test, shuffled by the seed 5",
            "test_it.py::test_fails_sometimes     8       2   25.0%             60.0%",
            "test_it.py::test_words[[]a]            8       0    0.0%             31.2%",
            "2 failed by: AssertionError: failed after <n> s",
            "    test_it.py::test_fails_sometimes[[]run*]",
        ]
    )
    assert result.ret == 1


def test_a_failing_setup_counts_as_a_failure_and_a_skip_as_nothing(run):
    result = run(
        "--flake-runs=3",
        tests="""
import pytest

@pytest.fixture
def broken():
    raise OSError("no disk")

def test_a(broken):
    pass

def test_b():
    pytest.skip("not here")
""",
    )
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_a     3       3  100.0%            100.0%",
            "3 failed by: setup: OSError: no disk",
            "3 runs were skipped, and count for nothing",
        ]
    )


def test_a_failing_teardown_makes_a_passed_run_a_failed_one(run):
    result = run(
        "--flake-runs=2",
        tests="""
import pytest

@pytest.fixture
def broken():
    yield
    raise OSError("no disk")

def test_a(broken):
    pass
""",
    )
    result.stdout.fnmatch_lines(["test_it.py::test_a     2       2  100.0%*"])


def test_no_run_shares_a_stack_with_another_one_whatever_its_marker_says(run):
    result = run(
        "--flake-runs=2",
        tests="""
import pytest
from stackproof.pytest_plugin.options import wish_of

@pytest.mark.stack("shop", isolation="module")
def test_a(request):
    assert wish_of(request.node).isolation == "test"

@pytest.mark.stack("shop", isolation="shared")
def test_b(request):
    assert wish_of(request.node).isolation == "shared"

def test_c(request):
    assert wish_of(request.node).isolation == "test"
""",
    )
    result.assert_outcomes(passed=6)


READS_ITS_WISH = """
from stackproof.pytest_plugin.options import wish_of

def test_it(request):
    environment = wish_of(request.node).stack_request.environment
    assert environment.get("STACKPROOF_PRELOAD") == {}
"""


@pytest.mark.parametrize(
    ("variable", "options", "seen"),
    [
        (None, (), None),
        (None, ("--flake-runs=1",), "off"),
        ("auto", ("--flake-runs=1",), "auto"),
        ("auto", ("--cold",), "off"),
        ("auto", ("--cold", "--flake-runs=1"), "off"),
    ],
)
def test_services_start_anew_under_the_meter_unless_forks_are_asked_for(
    run, monkeypatch, variable, options, seen
):
    if variable:
        monkeypatch.setenv("STACKPROOF_PRELOAD", variable)
    else:
        monkeypatch.delenv("STACKPROOF_PRELOAD", raising=False)
    run(*options, tests=READS_ITS_WISH.format(repr(seen))).assert_outcomes(passed=1)
