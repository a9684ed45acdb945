"""A shared stack is the one that the test names, with the profiles that the session asks for."""

from types import SimpleNamespace

import pytest

from stackproof.errors import ConfigError
from stackproof.pytest_plugin.running import _require_profiles

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.stack("other", isolation="shared")
def test_other(stack, running_stack):
    assert stack.plan.stack == "other"
    assert running_stack.plan.stack == "shop"

@pytest.mark.stack("shop", isolation="shared")
def test_same(stack, running_stack):
    assert stack is running_stack
"""


def test_a_marker_names_the_stack_that_is_up_too(pytester, monkeypatch):
    pytester.makefile(".yaml", compose="services: {api: {image: 'shop:1'}}")
    config = pytester.mkdir("config")
    for name in ("shop", "other"):
        (config / f"{name}.yaml").write_text(f"stack: {name}\ncompose_files: [../compose.yaml]\n")
    monkeypatch.setenv("STACKPROOF_ATTACHED_API", "http://127.0.0.1:9")
    monkeypatch.setenv("STACKPROOF_STATE_DIR", str(pytester.path / "state"))
    pytester.makepyfile(TESTS)
    done = pytester.runpytest_inprocess("--engine=attached", "--stack=shop")
    done.assert_outcomes(passed=2)


def running(*profiles, engine="process"):
    plan = SimpleNamespace(project="shop-e2e", stack="shop", engine=engine)
    return SimpleNamespace(plan=plan, settings=SimpleNamespace(profiles=profiles))


def test_a_running_stack_without_a_wanted_profile_is_an_error():
    with pytest.raises(ConfigError, match=r"(?s)without the profile beat.*its profiles: mail"):
        _require_profiles(running("mail"), ["beat"])


@pytest.mark.parametrize(
    "stack", [running("beat"), running("*"), running(engine="attached")], ids=str
)
def test_one_that_has_it_or_whose_profiles_nobody_knows_is_taken(stack):
    _require_profiles(stack, ["beat"])
