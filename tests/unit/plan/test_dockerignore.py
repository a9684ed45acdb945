"""What of a build context goes to the builder, as moby/patternmatcher decides it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.plan import outline
from stackproof.plan.services.dockerignore import context_files, hidden_paths
from stackproof.stack_file.model import Build

FILES = ("a.py", "b.md", "src/a.py", "src/deep/a.py", "src/deep/b.md", "node_modules/x/y.js")


def context(folder, *lines, files=FILES):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("")
    (folder / ".dockerignore").write_text("\n".join((*lines, ".dockerignore")))
    return Build(folder)


@pytest.mark.parametrize(
    ("lines", "left_out"),
    [
        ([], []),
        (["# a.py", "", "  b.md  "], ["b.md"]),
        (["*.py"], ["a.py"]),
        (["**/*.py"], ["a.py", "src/a.py", "src/deep/a.py"]),
        (["*/a.py"], ["src/a.py"]),
        (["/src/deep/"], ["src/deep"]),
        (["src/**"], ["src/a.py", "src/deep"]),
        (["node_modules"], ["node_modules"]),
        (["[&&a-c].md", "[+--].py"], ["b.md"]),
        (["?.md", "[!b].py"], ["a.py", "b.md"]),
        (["src", "!src/deep/b.md"], ["src/a.py", "src/deep/a.py"]),
        (["*", "!*/a.py"], ["a.py", "b.md", "node_modules", "src/deep"]),
        (["*", "!**/b.md"], ["a.py", "node_modules", "src/a.py", "src/deep/a.py"]),
        (["!a.py", "a.py"], ["a.py"]),
        (["./src/../b.md"], ["b.md"]),
        ([r"\*.py"], []),
        (["[z-a]", "[", "**"], ["a.py", "b.md", "node_modules", "src"]),
    ],
)
def test_the_last_pattern_that_fits_decides(tmp_path, lines, left_out):
    build = context(tmp_path, *lines)
    assert sorted(set(hidden_paths(build)) - {".dockerignore"}) == left_out


def test_folders_that_a_pattern_may_let_in_again_are_looked_into(tmp_path):
    files = ["one/pyproject.toml", "one/tests/x", "two/pyproject.toml", "two/src/a.py"]
    build = context(tmp_path, "*", "!one/pyproject.toml", "!*/src", files=files)
    sent = [path for path in context_files(build) if (tmp_path / path).is_file()]
    assert sent == ["one/pyproject.toml", "two/src/a.py"]


def test_the_file_beside_the_dockerfile_counts_before_that_of_the_context(tmp_path):
    context(tmp_path, "a.py")
    (tmp_path / "own.Dockerfile.dockerignore").write_text("b.md")
    assert hidden_paths(Build(tmp_path, "own.Dockerfile")) == ("b.md",)


def test_without_such_a_file_all_of_it_goes_to_the_builder(tmp_path):
    (tmp_path / "a").write_text("")
    assert hidden_paths(Build(tmp_path)) == ()
    assert context_files(Build(tmp_path)) == ["a"]


@settings(max_examples=40)
@given(st.lists(st.text(st.sampled_from("*?[]!\\/.a-^#\n"), max_size=8), max_size=4))
def test_any_pattern_can_be_read(tmp_path_factory, lines):
    folder = tmp_path_factory.getbasetemp() / "ignored"
    build = context(folder, *lines, files=["a", "b/a"])
    assert set(hidden_paths(build)).isdisjoint(context_files(build))


def test_a_build_context_is_walked_once_for_a_reading_and_anew_for_the_next(tmp_path, monkeypatch):
    build, walked = context(tmp_path, "a.py"), []

    def hidden(one):
        walked.append(one)
        return hidden_paths(one)

    monkeypatch.setattr(outline, "hidden_paths", hidden)
    reading = outline.HiddenPaths()
    before = [reading(Build(tmp_path, args={"A": number})) for number in "12"]
    (tmp_path / ".dockerignore").write_text("b.md")
    assert before == [(".dockerignore", "a.py")] * 2
    assert reading(build) == before[0]
    assert len(walked) == 1
    assert outline.HiddenPaths()(build) == ("b.md",)
