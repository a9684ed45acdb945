"""Scenarios that need an LLM provider run when asked for, by their marker or another one."""

import pytest

pytest_plugins = ["pytester"]

TESTS = """
    import pytest

    @pytest.mark.e2e_llm
    def test_llm_only(): ...

    @pytest.mark.e2e
    @pytest.mark.e2e_llm
    def test_both(): ...

    @pytest.mark.e2e
    def test_e2e_only(): ...
"""


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ((), {"test_e2e_only"}),
        (("-m", "e2e"), {"test_both", "test_e2e_only"}),
        (("-m", "e2e_llm"), {"test_llm_only", "test_both"}),
        (("-m", "not slow"), {"test_e2e_only"}),
        (("--llm", "fake"), {"test_llm_only", "test_both", "test_e2e_only"}),
    ],
)
def test_they_run_when_they_are_asked_for(pytester, options, chosen):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "--collect-only", "-q", *options
    )
    found = {line.rpartition("::")[2] for line in result.outlines if "::" in line}
    assert found == chosen
