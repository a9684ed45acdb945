"""Which commands a fork server can begin."""

import pytest

from stackproof.engines.process.fork_server.entry import entry_of

UNBUFFERED = {"PYTHONUNBUFFERED": "1"}


@pytest.fixture
def virtualenv(tmp_path):
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    for name, line in {
        "celery": f"#!{programs}/python", "shell": "#!/bin/sh", "other": "#!/usr/bin/python3",
        "optioned": f"#!{programs}/python -O", "binary": "\x7fELF",
    }.items():  # fmt: skip
        (programs / name).write_text(f"{line}\nimport sys\n")
    return programs.parent


def entry(virtualenv, *words, environment=UNBUFFERED):
    return entry_of([f"{virtualenv}/bin/{words[0]}", *words[1:]], virtualenv, environment)


def test_a_module_is_known_with_its_arguments(virtualenv):
    found = entry(virtualenv, "python", "-u", "-m", "shop.worker", "--fast")
    assert (found.module, found.script, found.arguments) == ("shop.worker", "", ("--fast",))
    assert found.argv[1:] == ("-u", "-m", "shop.worker", "--fast")


def test_a_script_is_known_by_its_path(virtualenv):
    found = entry(virtualenv, "python3.11", "server.py", "--port", "80")
    assert (found.module, found.script, found.arguments) == ("", "server.py", ("--port", "80"))


def test_a_program_of_the_virtualenv_is_shown_as_the_kernel_shows_a_script(virtualenv):
    found = entry(virtualenv, "celery", "worker")
    programs = virtualenv / "bin"
    assert found.script == str(programs / "celery")
    assert found.argv == (str(programs / "python"), str(programs / "celery"), "worker")
    assert found.python == programs / "python"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("python", "-O", "-m", "shop"), "it starts with"),
        (("python", "-c", "print(1)"), "it starts with"),
        (("python",), "it starts with"),
        (("python", "-m"), "it starts with"),
        (("shell",), "shell is no Python program of its virtualenv"),
        (("other",), "other is no Python program of its virtualenv"),
        (("optioned",), "optioned is no Python program of its virtualenv"),
        (("binary",), "binary is no Python program of its virtualenv"),
        (("missing",), "missing is no Python program of its virtualenv"),
    ],
)
def test_other_commands_are_started_anew_and_it_is_said_why(virtualenv, words, told):
    assert told in entry(virtualenv, *words).cold


def test_unbuffered_output_is_an_option_where_the_environment_does_not_ask_for_it(virtualenv):
    assert entry(virtualenv, "python", "-u", "x.py", environment={}).cold


def test_an_interpreter_of_another_place_is_not_that_of_the_virtualenv(virtualenv):
    found = entry_of(["/usr/bin/python3", "x.py"], virtualenv, {})
    assert found.cold == "/usr/bin/python3 is not the interpreter of its virtualenv"
