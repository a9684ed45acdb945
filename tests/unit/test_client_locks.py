"""Each client that the gateway is tested with is in the locks of the newest and of the oldest."""

import re
from pathlib import Path

import pytest
from packaging.version import Version
from tests.gateway_clients.locks import LOCKS, NEEDED, pinned

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in ROOT.glob("tests/gateway_clients/**/test_*.py"))
FRAMEWORKS = sorted(path.stem for path in ROOT.glob("tests/gateway_clients/frameworks/test_*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_a_newest_lock_has_what_the_module_needs(module):
    assert NEEDED[module] in pinned("newest")


@pytest.mark.parametrize("module", FRAMEWORKS)
def test_the_oldest_lock_has_an_older_version(module):
    assert Version(pinned("oldest")[NEEDED[module]]) < Version(pinned("newest")[NEEDED[module]])


def test_each_lock_is_the_session_of_ci():
    text = (ROOT / "noxfile.py").read_text()
    assert all(f'"requirements/{lock}"' in text for locks in LOCKS.values() for lock in locks)


def row(module):
    """The framework's row in the table of tested versions."""
    text = (ROOT / "tests" / "gateway_clients" / "frameworks" / f"{module}.py").read_text()
    names = [name for found in re.findall(r'variables = "(.+)"', text) for name in found.split()]
    name = NEEDED[module]
    shown = ", ".join(f"`{variable}`" for variable in names)
    return f"| {name} | {shown} | {pinned('newest')[name]} | {pinned('oldest')[name]} |"


@pytest.mark.parametrize("module", FRAMEWORKS)
def test_the_page_shows_the_versions_of_the_locks_and_the_variables_of_the_tests(module):
    page = (ROOT / "docs" / "how-to" / "use-your-framework.md").read_text()
    assert row(module) in page.splitlines()
