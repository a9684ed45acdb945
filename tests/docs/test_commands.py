"""Every command that a page shows is one that the tools take."""

import argparse
import itertools
import os
import re
import shlex
import subprocess
import sys
import tomllib
from unittest import mock

import pytest
from invoke.exceptions import ParseError
from invoke.parser import Parser
from tests.docs.pages import ROOT, blocks, commands

from stackproof.sessions import SUITES, suite_options
from stackproof.suites.flake_session import flake_options
from stackproof.tasks import namespace
from stackproof.tasks.command_line import program_options
from stackproof_gateway.settings import parser as gateway_options

CASES = [
    pytest.param(command, id=f"{block}: {command[:60]}")
    for block in blocks("console")
    for command in commands(block.text)
]

OTHER_TOOLS = {
    ".", "cat", "cd", "createdb", "curl", "docker", "echo", "export", "git", "mkdir", "python",
    "python3", "source", "uv",
}  # fmt: skip
"""Programs that are not ours, whose arguments nobody checks."""

PYTEST_OPTIONS = {
    "--engine",
    "--stack",
    "-k",
    "-x",
    "-m",
    "-n",
    "-q",
    "-s",
    "-v",
    "--maxfail",
    "--lf",
    "--durations",
}


@pytest.fixture(scope="session")
def sessions():
    """The nox sessions of this repository, which are those of every project and some more."""
    listed = subprocess.run(
        [sys.executable, "-m", "nox", "--list"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(re.findall(r"^[*-] (\S+) ->", listed.stdout, re.MULTILINE))


@pytest.fixture(scope="session")
def extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return set(project["optional-dependencies"])


@pytest.mark.parametrize("command", CASES)
def test_the_command_is_one_that_its_tool_takes(command, sessions, extras):
    for part in parts(command):
        words = without_assignments(part)
        if words:
            check(words, sessions, extras)


def parts(command):
    """The words of each command in a line, between `&&`, `&` and `|`."""
    words = shlex.shlex(command, posix=True, punctuation_chars="&|")
    words.whitespace_split, words.commenters = True, ""
    groups = itertools.groupby(words, key=lambda word: bool(word) and set(word) <= {"&", "|"})
    return [list(part) for is_operator, part in groups if not is_operator]


def without_assignments(words):
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words[1:] if words and words[0] == "./dev" else words


def check(words, sessions, extras):
    tool, rest = words[0], words[1:]
    if tool == "nox":
        check_nox(rest, sessions)
    elif tool == "invoke":
        check_invoke(rest)
    elif words[:3] == ["python", "-m", "stackproof_gateway"]:
        parse(gateway_options(os.environ), words[3:])
    elif tool == "stackproof":
        parse(program_options(), rest)
    elif tool == "pip":
        wanted = re.findall(r"stackproof\[([a-z,]+)\]", " ".join(rest))
        assert {name for one in wanted for name in one.split(",")} <= extras
    elif tool == "pytest":
        check_pytest(rest)
    else:
        assert tool in OTHER_TOOLS, f"nobody knows {tool}"


def check_nox(words, sessions):
    ours, _, theirs = shlex.join(words).partition(" -- ")
    known = argparse.ArgumentParser(exit_on_error=False)
    known.add_argument("--list", action="store_true")
    known.add_argument("-s", nargs="+", default=[])
    known.add_argument("-j", type=int)
    chosen = parse(known, shlex.split(ours)).s
    assert set(chosen) <= sessions
    for session in chosen:
        suite = session.removeprefix("docker-").removesuffix("-keyless")
        options = shlex.split(theirs)
        if suite in SUITES and options != ["--help"]:
            check_pytest(suite_options(suite).parse_known_args(options)[1])
        elif suite == "flake":
            check_pytest(flake_options().parse_known_args(options)[1])


def check_pytest(words):
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    assert set(options) <= PYTEST_OPTIONS
    for word in words:
        assert not word.startswith("tests/unit/") or (ROOT / word).exists()


def check_invoke(words):
    if words == ["--list"] or words[:1] == ["--help"]:
        return
    ours = words[: words.index("--")] if "--" in words else words
    try:
        with mock.patch.object(sys, "argv", ["invoke", *words]):  # tasks look there for words
            Parser(contexts=namespace().to_contexts()).parse_argv(ours)
    except ParseError as error:
        pytest.fail(str(error))


def parse(parser, words):
    try:
        return parser.parse_args(words)
    except (argparse.ArgumentError, SystemExit) as error:
        pytest.fail(f"{shlex.join(words)}: {error}")
