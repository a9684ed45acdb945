"""Which services of a start are asked for as forks, and what is said of the others."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackproof.engines.process.fork_server import forker as module
from stackproof.engines.process.fork_server.forker import forker, stack_of
from stackproof.engines.process.fork_server.keeping import Wanted
from stackproof.engines.process.spec import Forked, ServiceSpec

SPEC = ServiceSpec("web", ("/venv/bin/python", "-m", "shop"), {}, "/app")
FORKED = Forked("server:token", "", "shop", (), ())


@pytest.fixture
def begun(monkeypatch, tmp_path):
    """How a service of a launch is begun, and what was asked for it."""
    asked = []

    class Servers:
        def forked(self, spec, virtualenv, wanted):
            asked.append(wanted)
            return ServiceSpec(spec.name, spec.argv, spec.env, spec.cwd, forked=FORKED)

    monkeypatch.setattr(module, "fork_servers", lambda _: Servers())
    service = SimpleNamespace(runtime=SimpleNamespace(project=tmp_path), preload=("numpy",))
    plan = SimpleNamespace(stack="shop", secrets=("s3cret",), service=lambda _: service)

    def begin(*, sets=None, **launch):
        told = {"forks": True, "extra_env": {}, "cold": (), "plan": plan, **launch}
        spec = replace(SPEC, env={**told["extra_env"].get(SPEC.name, {}), **(sets or {})})
        found = forker(SimpleNamespace(**told), tmp_path)(spec, Path("/venv"))
        return found.forked, found.cold, asked

    begin.wanted = Wanted(stack_of(plan, service), ("numpy",), frozenset({"s3cret"}))
    return begin


def test_a_service_of_a_test_is_forked_as_its_stack_file_says(begun):
    assert begun() == (FORKED, "", [begun.wanted])


def test_no_fork_is_asked_for_where_stacks_are_not_those_of_tests(begun):
    assert begun(forks=False) == (None, "", [])


def test_a_service_whose_coverage_is_measured_is_forked(begun):
    measured = {"COVERAGE_PROCESS_START": "/run/coveragerc", "PYTHONPATH": "/run"}
    assert begun(extra_env={SPEC.name: measured}) == (FORKED, "", [begun.wanted])


@pytest.mark.parametrize("measured", [{}, {"COVERAGE_PROCESS_START": "/run/coveragerc"}])
def test_a_service_that_measures_its_coverage_itself_begins_anew(begun, measured):
    told = begun(extra_env={SPEC.name: measured}, sets={"COVERAGE_PROCESS_START": "own"})
    assert told == (None, "it sets COVERAGE_PROCESS_START itself", [])


def test_a_service_that_is_to_be_cold_begins_anew(begun):
    told = "`isolation.cold` names it, or a test limits its memory"
    assert begun(cold=("web",)) == (None, told, [])
