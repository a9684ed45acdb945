import base64
import json
from urllib.parse import quote

import pytest

from stackproof.redaction import MASK, Redactor

SECRET = 'p@ss/w"rd +ü'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
    ],
    ids=["as it is", "percent-encoded", "in JSON", "in Base64"],
)
def test_a_secret_is_masked_in_each_form_that_software_writes_it(form):
    text = Redactor([SECRET]).text(f"before {form} after")
    assert form.rstrip("=") not in text
    assert MASK in text
    assert text.startswith("before ")
    assert text.rstrip("=").endswith(" after")


def test_the_longer_of_two_overlapping_secrets_is_masked_whole():
    assert Redactor(["hunter", "hunter2000"]).text("hunter2000") == MASK


def test_each_line_of_a_secret_with_several_lines_is_masked():
    text = Redactor(["line-one\nline-two"]).text("got line-two here")
    assert text == f"got {MASK} here"


def test_values_too_short_to_be_secrets_are_left_alone():
    assert Redactor(["", "a", "abc"]).text("a text with abc") == "a text with abc"


def test_strings_are_masked_anywhere_in_a_json_value():
    value = {"hunter2": ["x hunter2", 3, None, {"k": "hunter2"}]}
    assert Redactor(["hunter2"]).value(value) == {MASK: [f"x {MASK}", 3, None, {"k": MASK}]}


def test_without_secrets_nothing_changes():
    assert Redactor().text("anything") == "anything"
