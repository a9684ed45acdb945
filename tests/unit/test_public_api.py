import subprocess
import sys

import pytest

import stackproof


def test_dir_shows_the_public_names_and_nothing_else():
    public = ["Oracle", "Stack", "StackproofError", "StateMachine", "WaitTimeout", "wait_until"]
    assert dir(stackproof) == sorted([*public, "__version__"])
    assert sorted(stackproof.__all__) == public


@pytest.mark.parametrize("name", stackproof.__all__)
def test_each_public_name_is_the_one_of_its_module(name):
    found = getattr(stackproof, name)
    assert found.__module__.startswith("stackproof.")
    assert found.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Stakc'"):
        _ = stackproof.Stakc


def test_importing_the_package_imports_nothing_of_it():
    code = "import sys, stackproof; print(*[m for m in sys.modules if m.startswith('stackproof.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
