"""Whatever stands in a repository's files, `init` reads it, and what it writes is read back."""

from contextlib import suppress

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.init.repositories import proposal_of

from stackproof.errors import ConfigError
from stackproof.stack_file.model import Service
from stackproof.tasks.init.compose_files import compose_files, stack_name
from stackproof.tasks.init.env_files import missing_env_files
from stackproof.tasks.init.files import proposed_files
from stackproof.tasks.init.source_trees import Place, SourceTree
from stackproof.tasks.init.texts import ignore_text
from stackproof.tasks.init.yaml_writing import as_yaml

OFTEN = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(min_size=1), inside, max_size=3)
    ),
    max_leaves=8,
)
MANIFESTS = ("requirements.txt", "pyproject.toml", "Pipfile", "poetry.lock", "package.json")


@OFTEN
@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=4))
def test_what_is_written_as_yaml_is_read_back(value):
    assert yaml.safe_load(as_yaml(value)) == (value or None)


@OFTEN
@given(text=st.text(alphabet="[]{}\"'=\n#.ab1:,-"), name=st.sampled_from(MANIFESTS))
def test_any_manifest_is_read(text, name, tmp_path):
    (tmp_path / name).write_text(text)
    found = SourceTree(Service("web"), tmp_path, (), (Place(tmp_path),)).packages
    assert all(isinstance(package, str) for package in found)


def test_a_manifest_that_is_nested_without_end_is_left_out(tmp_path):
    (tmp_path / "package.json").write_text("[" * 100_000)
    (tmp_path / "pyproject.toml").write_text("a = " + "[" * 100_000)
    assert SourceTree(Service("web"), tmp_path, (), (Place(tmp_path),)).packages == frozenset()


@OFTEN
@given(
    written=st.text(),
    folder=st.text(
        alphabet=st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40
    ),
)
def test_any_name_becomes_one_that_a_project_can_have(written, folder, tmp_path):
    name = stack_name(written, tmp_path / folder)
    assert name
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert name[0] not in "_-"


@OFTEN
@given(st.text())
def test_lines_are_added_to_any_gitignore_once(text):
    once = ignore_text(text)
    assert once.startswith(text)
    assert ignore_text(once) == once


NAMES = st.sampled_from(
    "services web db env_file environment build image path required ports depends_on command "
    "context dockerfile_inline".split()
)
LEAVES = st.sampled_from(
    [None, True, 5, "", ".", ".env", "A=b", "postgres:16", "${A:?b}", "8000:80", "FROM python"]
)
STACKS = st.recursive(
    LEAVES,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=4),
    max_leaves=20,
)
SERVICES = st.fixed_dictionaries({"services": st.dictionaries(NAMES, STACKS, max_size=3)})


@OFTEN
@given(value=STACKS | SERVICES)
def test_any_stack_file_is_read_or_refused_without_a_traceback(value, tmp_path):
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(value))
    with suppress(ConfigError):
        (files,) = compose_files(tmp_path)
        missing_env_files(files)
        proposed_files(proposal_of(tmp_path))
