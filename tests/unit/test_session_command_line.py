"""What is wrong with a session's command line is said before anything is installed or started."""

import argparse
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.errors import ConfigError
from stackproof.sessions import SUITES, suite_options
from stackproof.sessions.options import refuse_contradictions
from stackproof.sessions.parallel import require_xdist, workers, workers_of
from stackproof.sessions.suite import _narrowed
from stackproof.suites.command_line import (
    given_paths,
    options_of_pytest,
    read_options,
    refuse_missing_paths,
    refuse_misspelt,
)
from stackproof.suites.flake_session import flake_options
from stackproof.suites.suite import SuiteRequest

PARSERS = [*(pytest.param(suite_options(suite), id=suite) for suite in SUITES),
           pytest.param(flake_options(), id="flake")]  # fmt: skip


@pytest.mark.parametrize("parser", PARSERS)
def test_a_wrong_value_ends_one_session_with_the_values_that_are_right(parser, tmp_path):
    with pytest.raises(ConfigError, match=r"invalid choice: 'dockr'.*process"):
        read_options(parser, ["--engine", "dockr"], tmp_path)


@pytest.mark.parametrize("parser", PARSERS)
def test_a_misspelt_option_is_refused_with_the_one_that_was_meant(parser, tmp_path):
    with pytest.raises(ConfigError, match=r"did you mean --engine\?"):
        read_options(parser, ["--engin", "compose"], tmp_path)


def test_an_option_of_pytest_is_no_misspelling_and_a_misspelt_one_of_pytest_is(tmp_path):
    known = options_of_pytest(tmp_path)
    refuse_misspelt(["--maxfail=1", "-x", "--", "--maxfial"][:2], ["--engine"], lambda: known)
    with pytest.raises(ConfigError, match=r"did you mean --maxfail\?"):
        refuse_misspelt(["--maxfial=1"], ["--engine"], lambda: known)


def test_an_option_that_looks_like_no_other_is_left_to_the_pytest_of_the_session():
    refuse_misspelt(["--zebra"], ["--engine"], lambda: {"--maxfail"})


def test_without_long_options_pytest_is_not_asked():
    refuse_misspelt(["-k", "smoke", "tests"], ["--engine"], lambda: pytest.fail("asked"))


def test_a_file_that_does_not_exist_is_refused_with_its_name(tmp_path):
    (tmp_path / "test_there.py").touch()
    refuse_missing_paths(["test_there.py", "test_there.py::test_a", "-k", "no.py"], tmp_path)
    for word in ("test_gone.py", "tests/test_gone.py::test_a[1]"):
        with pytest.raises(ConfigError, match=r"no file (tests/)?test_gone\.py"):
            refuse_missing_paths(["-x", "test_there.py", word], tmp_path)


def test_the_given_paths_are_those_that_exist(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").touch()
    words = ["-k", "smoke", "tests/test_a.py::test_x", "tests", "-x"]
    assert given_paths(words, tmp_path) == [tmp_path / "tests/test_a.py", tmp_path / "tests"]


def read(root, stack):
    """A request, and what it was resolved to, as far as the choice of stacks looks at it."""
    suite = SimpleNamespace(paths=(f"tests/e2e/{stack}",))
    resolved = SimpleNamespace(settings=SimpleNamespace(suite=lambda _name: suite))
    return SuiteRequest(root=root, environment={}, suite="e2e", stack=stack), resolved


@pytest.mark.parametrize(
    ("given", "stacks"),
    [
        ([], ["runs", "plans"]),
        (["tests/e2e/plans/test_a.py"], ["plans"]),
        (["tests/e2e/plans", "tests/e2e/runs"], ["runs", "plans"]),
    ],
)
def test_of_several_stacks_those_are_started_whose_scenarios_are_named(tmp_path, given, stacks):
    requests = [read(tmp_path, "runs"), read(tmp_path, "plans")]
    chosen = _narrowed(requests, [tmp_path / path for path in given])
    assert [request.stack for request, _ in chosen] == stacks


def test_a_path_that_belongs_to_no_stack_is_refused(tmp_path):
    requests = [read(tmp_path, "runs"), read(tmp_path, "plans")]
    with pytest.raises(ConfigError, match="outside the e2e scenarios"):
        _narrowed(requests, [tmp_path / "tests/unit"])


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_command_line_is_read_or_refused(words):
    parser = suite_options("integration")
    try:
        options, rest = parser.parse_known_args([word for word in words if word != "--help"])
    except ConfigError as error:
        assert "--help" in str(error)  # noqa: PT017 - either way is right
    else:
        assert isinstance(options, argparse.Namespace)
        assert set(rest) <= set(words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--json"], r"--json has no effect here.*--list-scenarios"),
        (["--list-scenarios", "--parallel"], r"--parallel has no effect here"),
        (["--list-scenarios", "--keep"], r"--keep has no effect here"),
        (["--list-scenarios", "--isolation", "test"], r"--isolation has no effect here"),
        (["--parallel", "-n", "3"], r"-n has no effect here.*keep one"),
        (["--parallel", "-n3"], r"-n3 has no effect here"),
    ],
)
def test_options_that_can_not_be_honoured_together_are_refused(words, told):
    options, rest = suite_options("e2e").parse_known_args(words)
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        refuse_contradictions(options, rest)


def on_a_stack(isolation, engine):
    """What is known of a suite on a stack, as far as `--parallel` asks."""
    request = SimpleNamespace(name="e2e on shop", suite="e2e", isolation=None)
    settings = SimpleNamespace(suite=lambda _: SimpleNamespace(isolation=isolation),
                               isolation=SimpleNamespace(memory=None))  # fmt: skip
    return request, SimpleNamespace(settings=settings, plan=SimpleNamespace(engine=engine))


@pytest.mark.parametrize(
    ("isolation", "engine", "told"),
    [
        ("shared", "process", r"all tests use one stack.*add --isolation test"),
        ("test", "attached", r"the stack is attached.*remove --parallel"),
        ("shared", "attached", r"the stack is attached.*remove --parallel"),
    ],
)
def test_tests_that_share_a_stack_do_not_run_in_parallel(isolation, engine, told):
    read = [on_a_stack("test", "process"), on_a_stack(isolation, engine)]
    with pytest.raises(ConfigError, match=rf"(?s)can't be honoured for e2e on shop.*{told}"):
        workers_of(SimpleNamespace(), read)


def test_parallel_without_xdist_is_refused_before_anything_starts(tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    session = SimpleNamespace(bin_paths=[str(tmp_path)], env={})
    with pytest.raises(ConfigError, match=r"(?s)needs pytest-xdist.*No module named 'xdist'.*add"):
        require_xdist(session)


@given(st.integers(1, 512), st.integers(0, 2**45), st.integers(1, 2**36))
def test_as_many_tests_run_at_a_time_as_processors_and_memory_allow_but_two(cpus, free, needed):
    count = workers(cpus, free, needed)
    assert count >= 2
    assert count == 2 or (count <= cpus and count * needed <= free)
    assert count >= min(cpus, free // needed)
