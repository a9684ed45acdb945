"""No pattern does more than a bounded number of steps for each letter of a text."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pattern_work import Search, TooMuchWork, attacks, deep_recursion

import stackproof

SOURCE = Path(stackproof.__file__).parent
FEW, MANY = 40, 200
"""Repeats at which a pattern is suspected, and at which it is judged."""

STEPS_A_LETTER = 15
"""What a letter may cost without a closer look."""

GROWTH = 2.6
"""Of the steps, where the text is twice as long."""

MOST_STEPS = 200_000

_ANCHORED = {"match", "fullmatch"}


def modules():
    for found in pkgutil.walk_packages([str(SOURCE)], "stackproof."):
        if not found.name.endswith("__main__"):
            yield found.name, Path(importlib.import_module(found.name).__file__)


def named():
    """Each pattern that a module has, and whether it is searched for anywhere in a text."""
    sources = {name: path.read_text() for name, path in modules()}
    for module, source in sources.items():
        for name, value in list(vars(importlib.import_module(module)).items()):
            if isinstance(value, re.Pattern) and re.search(rf"^{name}\b", source, re.MULTILINE):
                where = source if name.startswith("_") else "\n".join(sources.values())
                uses = set(re.findall(rf"\b{name}\b(?!\s*=|\")(?:\.(\w+))?", where))
                yield f"{module}:{name}", value, not uses <= _ANCHORED


def written_in_place():
    """Each pattern that stands in a call such as `re.sub("…", …)`."""
    for module, path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    words = (one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute))
                    flags = sum(getattr(re, word) for word in words if word.isupper())
                    anywhere = node.func.attr not in _ANCHORED
                    yield f"{module}:{node.lineno}", re.compile(first.value, flags), anywhere


CALLS = {f"re.{name}" for name in ("search", "match", "fullmatch", "sub", "findall", "split",
                                   "finditer")}  # fmt: skip
PATTERNS = {key: (pattern, anywhere) for key, pattern, anywhere in [*named(), *written_in_place()]}


def steps(pattern, text, *, anywhere):
    with deep_recursion():
        search = Search(pattern, text, most=MOST_STEPS)
        search.spans(anywhere=anywhere)
    return search.steps


def slowness(pattern, *, anywhere):
    """The text on which a pattern's work grows faster than the text; None where there is none."""
    for before, unit, after in attacks(pattern):
        shown = f"{before!r} + {unit!r} * n + {after!r}"
        text = before + unit * FEW + after
        try:
            if steps(pattern, text, anywhere=anywhere) <= STEPS_A_LETTER * len(text):
                continue
            small, large = (
                steps(pattern, before + unit * count + after, anywhere=anywhere)
                for count in (MANY, 2 * MANY)
            )
        except TooMuchWork:
            return f"{shown}: more steps than can be counted"
        if large > GROWTH * small:
            return f"{shown}: {small} steps, then {large}"
    return None


@pytest.mark.parametrize("key", PATTERNS)
def test_the_work_of_a_pattern_grows_no_faster_than_the_text(key):
    pattern, anywhere = PATTERNS[key]
    assert slowness(pattern, anywhere=anywhere) is None, pattern.pattern


@pytest.mark.parametrize(
    ("slow", "fast"),
    [
        (r"[A-Za-z][\w+.-]*://", r"[A-Za-z][\w+.-]{0,40}+://"),
        (r"\s+#", r"(?<!\s)\s++#"),
        (r"(a+)+b", r"(?<!a)a++b"),
        (r"a*a*b", r"(?<!a)a*+b"),
        (r"(?:a|a)*b", r"(?<!a)a*+b"),
        (r"x.*y.*z", r"x[^xy]*+y"),
        (r"^(?:\w+\s?)*$", r"^\w"),
    ],
)
def test_a_slow_pattern_is_told_from_a_fast_one(slow, fast):
    assert slowness(re.compile(slow), anywhere=True) is not None
    assert slowness(re.compile(fast), anywhere=True) is None


@pytest.mark.parametrize("key", PATTERNS)
def test_the_counting_matcher_finds_what_the_real_one_finds(key):
    pattern, _ = PATTERNS[key]
    for before, unit, after in attacks(pattern, most=4):
        text = before + unit * 3 + after
        given = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
        assert Search(pattern, text).spans() == [one.span() for one in pattern.finditer(given)]


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="ab:/.@,-= \n7", max_size=12))
def test_the_counting_matcher_agrees_on_any_text(text):
    for pattern, _ in PATTERNS.values():
        if isinstance(pattern.pattern, str):
            assert Search(pattern, text).spans() == [one.span() for one in pattern.finditer(text)]
