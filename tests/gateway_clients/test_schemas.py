"""Structured output against an independent judge of JSON schemas."""

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof_gateway.schema_answers import value_for

LEAF = st.one_of(
    st.builds(lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
              st.integers(-50, 50), st.integers(0, 9)),
    st.builds(lambda low, span: {"type": "number", "exclusiveMinimum": low,
                                 "exclusiveMaximum": low + span},
              st.integers(-50, 50), st.integers(1, 9)),
    st.builds(lambda low: {"type": "string", "minLength": low, "maxLength": low + 3},
              st.integers(0, 9)),
    st.sampled_from([
        {"type": "boolean"}, {"type": "null"}, {"enum": ["a", 1]}, {"const": [1]},
        {"type": "string", "pattern": "^[a-z]{2,4}-[0-9]+$"}, {"type": ["string", "null"]},
        {"type": "integer", "multipleOf": 7, "minimum": 1},
    ]),
)  # fmt: skip


def compound(below):
    names = st.sampled_from("abcd")
    return st.one_of(
        st.dictionaries(names, below, max_size=4).map(
            lambda found: {
                "type": "object",
                "properties": found,
                "required": sorted(found),
                "additionalProperties": False,
            }
        ),
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least},
                  below, st.integers(0, 3)),
        st.lists(below, min_size=1, max_size=3).map(lambda found: {"anyOf": found}),
    )  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.recursive(LEAF, compound, max_leaves=12))
def test_the_value_is_valid_against_its_schema(schema):
    jsonschema.validate(value_for(schema), schema)


@pytest.mark.parametrize("form", ["date-time", "date", "email", "ipv4", "ipv6", "uuid"])
def test_formats_are_those_of_the_standard(form):
    schema = {"type": "string", "format": form}
    jsonschema.validate(value_for(schema), schema, format_checker=jsonschema.FormatChecker())
