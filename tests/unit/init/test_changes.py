"""`init` writes what is new and what it made itself; a user's file stays as it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.init.repositories import FASTAPI, initialised, repository

from stackproof.errors import StorageFailed
from stackproof.tasks.init.changes import Proposed, change_of, is_unedited, marked, write

FILE = Proposed("config/shop.yaml", marked("stack: shop\n"))


def state(root, file):
    return change_of(root, file).state


def test_a_second_init_writes_nothing(tmp_path):
    root = repository(tmp_path, FASTAPI)
    first = initialised(root)
    before = {name: (root / name).stat().st_mtime_ns for name in first}
    assert initialised(root) == first
    assert {name: (root / name).stat().st_mtime_ns for name in first} == before


def test_a_file_of_the_user_is_shown_and_stays(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / FILE.name).write_text("stack: mine\n")
    change = change_of(tmp_path, FILE)
    assert change.state == "yours"
    assert not change.is_written
    assert "-stack: mine" in change.diff()
    assert "+stack: shop" in change.diff()


def test_what_init_made_is_updated_until_somebody_edits_it(tmp_path):
    write(tmp_path, change_of(tmp_path, FILE))
    newer = Proposed(FILE.name, marked("stack: shop\nworld: auto\n"))
    assert state(tmp_path, FILE) == "same"
    assert state(tmp_path, newer) == "update"
    write(tmp_path, change_of(tmp_path, newer))
    assert (tmp_path / FILE.name).read_text() == newer.text
    (tmp_path / FILE.name).write_text(newer.text + "# mine\n")
    assert state(tmp_path, FILE) == "yours"


def test_lines_are_added_to_a_gitignore_once(tmp_path):
    root = repository(tmp_path, {**FASTAPI, ".gitignore": "/.nox\n*.pyc"})
    initialised(root)
    initialised(root)
    assert (root / ".gitignore").read_text() == (
        "/.nox\n*.pyc\n\n# stackproof\n.artifacts/\n.env.integration\n"
    )


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path):
    change = change_of(tmp_path, FILE)
    (tmp_path / "config").mkdir()
    (tmp_path / FILE.name).write_text("mine\n")
    with pytest.raises(StorageFailed, match="changed meanwhile"):
        write(tmp_path, change)
    assert (tmp_path / FILE.name).read_text() == "mine\n"
    assert [path.name for path in (tmp_path / "config").iterdir()] == ["shop.yaml"]


def test_a_link_is_a_users_even_if_what_it_leads_to_is_not(tmp_path):
    (tmp_path / "elsewhere.yaml").write_text(marked("stack: old\n"))
    (tmp_path / "config").mkdir()
    (tmp_path / FILE.name).symlink_to(tmp_path / "elsewhere.yaml")
    assert state(tmp_path, FILE) == "yours"


@settings(max_examples=50)
@given(st.text(), st.text())
def test_any_edit_is_noticed(text, other):
    assert is_unedited(marked(text))
    assert is_unedited(marked(text).replace(text, other) if text else marked(text)) == (
        text in {"", other}
    )
