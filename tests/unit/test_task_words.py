"""Words after a task's name: `invoke logs api worker --tail 20`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke.parser import Parser

from stackproof.tasks import namespace
from stackproof.tasks.shell import project_folder
from stackproof.tasks.words import words_after

TASKS = {"logs", "restart", "up", "status"}
WITH_VALUE = {"--tail", "--since", "--service", "--stack"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("logs", []),
        ("logs api", ["api"]),
        ("logs api worker --tail 3", ["api", "worker"]),
        ("logs --tail 3 api --follow worker", ["api", "worker"]),
        ("logs --tail=3 api", ["api"]),
        ("up logs api status", ["api"]),
        ("logs -- api", []),
        ("status", []),
        ("logs --service api", []),
    ],
)
def test_what_is_no_option_no_value_and_no_task_is_a_word(line, words):
    assert words_after("logs", line.split(), WITH_VALUE, TASKS) == words


@given(st.lists(st.sampled_from(["logs", "api", "up", "--tail", "3", "--follow", "--", "-x", ""])))
def test_any_command_line_has_words_or_none(words):
    assert set(words_after("logs", words, WITH_VALUE, TASKS)) <= {"api", "3", ""}


@pytest.mark.parametrize(
    "line",
    ["logs api worker --tail 3", "logs --tail 3 api worker", "restart api --service worker"],
)
def test_invoke_reads_the_words(line, monkeypatch):
    monkeypatch.setattr("sys.argv", ["invoke", *line.split()])
    [context] = Parser(contexts=namespace().to_contexts()).parse_argv(line.split())
    arguments = context.as_kwargs
    found = [value for name, value in arguments.items() if name.startswith("word ")]
    assert sorted([*arguments["service"], *found]) == ["api", "worker"]


@pytest.mark.parametrize(
    ("tasks_has_config", "current_has_config", "project"),
    [
        (True, True, "tasks"),
        (True, False, "tasks"),
        (False, True, "current"),
        (False, False, "tasks"),
    ],
)
def test_the_project_is_the_folder_of_tasks_py_unless_only_the_current_one_has_a_config(
    tmp_path, monkeypatch, tasks_has_config, current_has_config, project
):
    for name, has_config in [("tasks", tasks_has_config), ("current", current_has_config)]:
        (tmp_path / name / ("config" if has_config else "")).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "current")
    monkeypatch.setattr("stackproof.tasks.shell._TASKS_FOLDER", [tmp_path / "tasks"])
    assert project_folder() == tmp_path / project


def test_a_chained_task_is_none_of_the_words(monkeypatch):
    line = ["logs", "api", "status"]
    monkeypatch.setattr("sys.argv", ["invoke", *line])
    contexts = Parser(contexts=namespace().to_contexts()).parse_argv(line)
    assert [context.name for context in contexts] == ["logs", "status"]
