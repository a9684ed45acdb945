"""Values made from JSON schemas are valid and come to an end."""

import re

import pytest

from stackproof_gateway.pattern_text import text_for
from stackproof_gateway.schema_answers import value_for


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "multipleOf": 5, "minimum": 3}, 5),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "string", "minLength": 6}, "text t"),
        ({"type": "string", "maxLength": 0}, ""),
        ({"type": "string", "format": "date"}, "2025-06-15"),
        ({"type": ["null", "string"]}, "text"),
        ({"type": "array", "items": {"const": 1}, "minItems": 2}, [1, 1]),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": "a"}]}, [1, "a"]),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]},
         {"a": 1, "b": 2}),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, False),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"const": "deep"}}}, "deep"),
    ],
)  # fmt: skip
def test_a_value_fits_its_schema(schema, value):
    assert value_for(schema) == value


@pytest.mark.parametrize(
    "pattern",
    [r"^\d{3}-\d{4}$", r"^[A-Z]{2}[^a]\w+$", r"(foo|bar)?baz", r"^\S+@\S+\.com$", r"a{0,3}"],
)
def test_a_text_fits_its_pattern(pattern):
    assert re.search(pattern, text_for(pattern))


@pytest.mark.parametrize("pattern", ["(", "a{100000}", "((a{999}){999})", "(?!x)x"])
def test_a_pattern_that_nothing_fits_is_given_up(pattern):
    assert text_for(pattern) is None


def test_a_recursive_schema_comes_to_an_end():
    node = {
        "type": "object",
        "properties": {name: {"$ref": "#"} for name in "abcd"},
        "required": list("abcd"),
    }
    assert value_for(node)["a"]


def test_a_tree_ends_with_a_choice_that_has_nothing_below_it():
    schema = {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
    }
    value, depth = value_for(schema), 0
    while value is not None:
        value, depth = value["next"], depth + 1
    assert depth < 10
