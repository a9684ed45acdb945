"""What pytest keeps and shows of tests with secrets: ids, reports, JUnit XML, cache, terminal."""

import xml.etree.ElementTree as ET

import pytest
from tests.secret_forms import SPELLINGS, survivors

pytest_plugins = ["pytester"]

SECRET = "canary<'p@ss/w&rd\"+%é"

TESTS = """
import json, os, warnings
import pytest

SECRET = os.environ["SHOP_API_KEY"]

@pytest.mark.parametrize("key", [SECRET, "other", SECRET + SECRET, json.dumps(SECRET)])
def test_key(running_stack, key, record_property):
    print("out", key)
    record_property("key", key)
    warnings.warn(f"old key {key}")
    assert {"key": key, "repr": repr(key)} == {"key": "x", "repr": ""}

@pytest.fixture
def broken(running_stack):
    local = json.dumps(SECRET)
    raise ValueError(local)

def test_setup(broken):
    pass

def test_skipped(running_stack):
    pytest.skip(f"not with {SECRET}")

def test_passes(running_stack):
    print("passed with", SECRET)
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs these tests against an attached stack whose configuration has a secret."""
    pytester.makefile(".yaml", compose="services: {api: {image: 'shop:1'}}")
    config = pytester.mkdir("config")
    (config / "shop.yaml").write_text(
        "stack: shop\ncompose_files: [../compose.yaml]\nvariables: {SHOP_API_KEY: unset}\n"
    )
    monkeypatch.setenv("SHOP_API_KEY", SECRET)
    monkeypatch.setenv("STACKPROOF_ATTACHED_API", "http://127.0.0.1:9")
    monkeypatch.setenv("STACKPROOF_STATE_DIR", str(pytester.path / "state"))
    pytester.makepyfile(TESTS)

    def run(*options):
        return pytester.runpytest_subprocess(
            "--engine=attached", "--junitxml=junit.xml", "-rA", "--showlocals", *options
        )

    return run


def kept(folder):
    """All that was written below a folder, with the names of files."""
    parts = []
    for path in folder.rglob("*"):
        parts.append(str(path.relative_to(folder)))
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            parts.append(path.read_text(errors="replace"))
    return "\n".join(parts)


@pytest.mark.parametrize("options", [("-v", "--color=yes"), ("-n1",)])
def test_no_form_of_a_secret_is_kept_or_shown(run, pytester, options):
    result = run(*options)
    result.assert_outcomes(failed=4, errors=1, skipped=1, passed=1)
    shown = result.stdout.str() + result.stderr.str()
    assert survivors(SECRET, shown) == []
    assert survivors(SECRET, kept(pytester.path)) == []
    assert "test_key[********]" in shown


def test_masked_tests_keep_ids_of_their_own_and_are_found_again(run, pytester):
    run()
    cases = [one.get("name") for one in ET.parse("junit.xml").iter("testcase")]  # noqa: S314
    assert len(set(cases)) == len(cases) == 7
    again = run("--lf")
    again.assert_outcomes(failed=4, errors=1)


def test_a_list_of_scenarios_with_a_masked_id_is_refused(run, pytester):
    result = run("--collect-only", "--scenario-list=list.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = result.stderr.str()
    assert "test_key[********] can't be listed: its id holds a secret" in said
    assert "give the parameter an id" in said
    assert survivors(SECRET, said) == []
    assert not (pytester.path / "list.json").exists()


def test_reports_of_tests_without_a_stack_stay_as_they_are(pytester):
    pytester.makepyfile("def test_plain():\n    assert 'canary' == 'x'\n")
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*AssertionError: assert 'canary' == 'x'"])


def test_every_form_of_a_secret_in_a_report_is_masked(run, pytester):
    lines = "\n".join(f"    print({form(SECRET)!r})" for form in SPELLINGS.values())
    pytester.makepyfile(f"def test_forms(running_stack):\n{lines}\n    assert 0\n")
    result = run()
    assert survivors(SECRET, result.stdout.str()) == []
    assert survivors(SECRET, (pytester.path / "junit.xml").read_text()) == []
