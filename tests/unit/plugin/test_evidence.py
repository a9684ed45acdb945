"""What failing tests leave: one folder a session, and in it one a failure."""

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.fixture
def broken_end(running_stack):
    yield
    assert not "the end"

@pytest.mark.parametrize("name", ["a/b", "a-b", "a b"])
def test_it(name, broken_end):
    assert not name

def test_passes(running_stack):
    pass
"""


@pytest.fixture
def runs(pytester, monkeypatch):
    """Runs these tests against an attached stack; gives the folders that they write to."""
    pytester.makefile(".yaml", compose="services: {api: {image: 'shop:1'}}")
    config = pytester.mkdir("config")
    (config / "shop.yaml").write_text("stack: shop\ncompose_files: [../compose.yaml]\n")
    monkeypatch.setenv("STACKPROOF_ATTACHED_API", "http://127.0.0.1:9")
    monkeypatch.setenv("STACKPROOF_STATE_DIR", str(pytester.path / "state"))
    pytester.makepyfile(TESTS)

    def runs(*options):
        done = pytester.runpytest_subprocess("--engine=attached", *options)
        done.assert_outcomes(passed=1, failed=3, errors=3)
        artifacts = pytester.path / ".artifacts" / "pytest"
        assert (artifacts / "latest").is_symlink()
        return [path for path in artifacts.iterdir() if not path.is_symlink()]

    return runs


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_a_session_has_one_folder_with_one_for_each_failure(runs, options):
    (run,) = runs(*options)
    assert (run.parent / "latest").resolve() == run
    failures = {path.name: path for path in (run / "failures").iterdir()}
    assert len(failures) == 6
    for name in ("a/b", "a-b", "a b"):
        told = [path for path in failures.values() if f"[{name}]" in text_of(path).split("\n")[0]]
        assert sorted(path.name.endswith(".teardown") for path in told) == [False, True]
        assert all("the end" in text_of(path) for path in told if path.name.endswith(".teardown"))


def text_of(failure):
    return (failure / "failure.txt").read_text()
