"""`.env.integration` is made once, from its example, and every line of it counts."""

import os
import stat

import pytest

from stackproof.errors import ConfigError
from stackproof.settings import ensure_env_file
from stackproof.settings.env_file import read_env_file


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_env_file_is_made_from_its_example_on_first_use(tmp_path):
    (tmp_path / ".env.integration.example").write_text("A=1\n")
    assert ensure_env_file(tmp_path)
    made = tmp_path / ".env.integration"
    assert made.read_text() == "A=1\n"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert names_in(tmp_path) == [".env.integration", ".env.integration.example"]


def test_an_env_file_that_is_there_is_used_as_it_is(tmp_path):
    (tmp_path / ".env.integration.example").write_text("A=1\n")
    (tmp_path / ".env.integration").write_text("A=mine\n")
    assert not ensure_env_file(tmp_path)
    assert (tmp_path / ".env.integration").read_text() == "A=mine\n"


def test_without_an_example_nothing_is_made(tmp_path):
    assert not ensure_env_file(tmp_path)
    assert names_in(tmp_path) == []


def test_an_env_file_that_can_not_be_made_is_named(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(28, "No space left on device")

    (tmp_path / ".env.integration.example").write_text("A=1\n")
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ConfigError, match=r"can't be made from"):
        ensure_env_file(tmp_path)
    assert names_in(tmp_path) == [".env.integration.example"]


def test_two_processes_that_make_it_at_once_get_one_file(tmp_path, monkeypatch):
    def somebody_was_faster(_source, target):
        target.write_text("A=theirs\n")
        raise FileExistsError

    (tmp_path / ".env.integration.example").write_text("A=1\n")
    monkeypatch.setattr(os, "link", somebody_was_faster)
    assert not ensure_env_file(tmp_path)
    assert (tmp_path / ".env.integration").read_text() == "A=theirs\n"


def test_values_keep_their_place(tmp_path):
    path = tmp_path / ".env.integration"
    path.write_text("# comment\nA=1\n\n\nexport B='x\ny'\nC=${A} # why\nD=\n")
    values = read_env_file(path)
    assert {name: (one.value, one.line) for name, one in values.items()} == {
        "A": ("1", 2),
        "B": ("x\ny", 5),
        "C": ("${A}", 7),
        "D": ("", 8),
    }


@pytest.mark.parametrize("line", ["no assignment here", "=4", "NAME", "A='open"])
def test_a_line_that_is_no_assignment_is_an_error_with_its_number(tmp_path, line):
    path = tmp_path / ".env.integration"
    path.write_text(f"OK=1\n\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        read_env_file(path)
    assert caught.value.line == 3


def test_the_error_does_not_repeat_the_line_which_may_hold_a_secret(tmp_path):
    path = tmp_path / ".env.integration"
    path.write_text("PASSWORD hunter2\n")
    with pytest.raises(ConfigError) as caught:
        read_env_file(path)
    assert "hunter2" not in str(caught.value)


def test_a_name_that_is_set_twice_is_an_error(tmp_path):
    path = tmp_path / ".env.integration"
    path.write_text("A=1\nA=2\n")
    with pytest.raises(ConfigError) as caught:
        read_env_file(path)
    assert caught.value.line == 2
    assert "first in line 1" in caught.value.what


def test_a_file_that_does_not_exist_is_empty(tmp_path):
    assert read_env_file(tmp_path / ".env.integration") == {}
