"""One redactor: no form of a secret survives it, and what is no secret stays as it is."""

import base64
import json
import re
import subprocess
import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.secret_forms import SPELLINGS, encoded, survivors

from stackproof_redaction import LONGEST_CHARACTER, MASK, Redactor
from stackproof_redaction.spelling import Spelling

SECRET = """p@ss/w"rd +ü'&<$\\%41n"""

letters = st.characters(exclude_categories=["Cs"], exclude_characters="*")
awkward = st.sampled_from("\"'\\&<>%+/ $\n\tü😀ax5u1{}`!")
secrets = (
    st.text(letters | awkward, min_size=4, max_size=24)
    .map(str.strip)
    .filter(lambda text: len(text) >= 4 and text.lower() not in {"true", "false", "none", "null"})
)
one_line = secrets.filter(lambda text: len(text.splitlines()) == 1 and "\r" not in text)


@pytest.mark.parametrize("form", SPELLINGS)
def test_a_secret_is_masked_in_each_form_that_software_writes_it(form):
    assert Redactor([SECRET]).text(f"before={SPELLINGS[form](SECRET)}; after") == (
        f"before={MASK}; after"
    )


@settings(deadline=None)
@given(one_line, st.sampled_from(sorted(SPELLINGS)))
def test_any_secret_is_masked_whole_in_any_form_and_nothing_else_is(secret, form):
    redactor = Redactor([secret])
    before, after = "[before] ", " [after]"
    assume(redactor.text(before + after) == before + after)
    assert redactor.text(before + SPELLINGS[form](secret) + after) == before + MASK + after


@settings(deadline=None)
@given(secrets, st.sampled_from(sorted(SPELLINGS)), st.text(), st.text())
def test_no_secret_survives_whatever_stands_around_it(secret, form, before, after):
    written = SPELLINGS[form](secret)
    assume(written not in before + MASK and written not in MASK + after)
    assert written not in Redactor([secret]).text(before + written + after)


@settings(deadline=None)
@given(secrets, st.binary(max_size=7), st.binary(max_size=7))
def test_no_secret_survives_in_base64_at_any_alignment(secret, before, after):
    redactor = Redactor([secret])
    for form in encoded(secret, before, after).values():
        found = survivors(secret, redactor.text(f"Authorization: Basic {form}"))
        assert [name for name in found if name.startswith("Base64")] == []


def test_the_password_of_basic_authentication_is_masked_with_its_half_characters():
    header = base64.b64encode(b"shop-user:hunter2000").decode()
    assert Redactor(["hunter2000"]).text(header) == f"c2hvcC11c2VyO{MASK}="


@settings(deadline=None)
@given(secrets, st.text())
def test_a_text_without_secrets_stays_as_it_is(secret, text):
    assume(all(character not in text for character in secret) or not secret)
    assume(not re.search(r"[\\&%+A-Za-z0-9#]", text))
    assert Redactor([secret]).text(text) == text


@settings(deadline=None)
@given(secrets, secrets, st.text(max_size=30), st.text(max_size=30))
def test_of_two_secrets_neither_survives(secret, other, before, after):
    text = Redactor([secret, other]).text(before + secret + other + after)
    assume(secret not in before + MASK and other not in MASK + after)
    assert secret not in text
    assert other not in text


def test_the_longer_of_two_overlapping_secrets_is_masked_whole():
    assert Redactor(["hunter", "hunter2000"]).text("hunter2000") == MASK
    assert Redactor(["abcdef", "defghi"]).text("abcdefghi") == MASK


def test_each_line_of_a_secret_with_several_lines_is_masked():
    text = Redactor(["line-one\nline-two"]).text("got line-two here")
    assert text == f"got {MASK} here"


def test_a_secret_across_lines_is_masked_and_the_lines_stay_as_many():
    redactor = Redactor(["ab\ncd\nline-three"])
    assert redactor.lines(["x ab", "cd", "line-three y"]) == [f"x {MASK}", MASK, f"{MASK} y"]
    wrapped = base64.encodebytes(b"user:" + b"a long secret of many words " * 4).decode()
    lines = Redactor(["a long secret of many words " * 4]).lines(wrapped.splitlines())
    assert lines[1] == MASK


def test_the_lines_of_a_long_secret_in_base64_are_masked_one_by_one():
    key = "-----BEGIN KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n" * 6
    redactor = Redactor([key])
    for line in base64.encodebytes(key.encode()).decode().splitlines():
        assert redactor.text(f"data: {line}").rstrip("=") == f"data: {MASK}" or len(line) < 20


@settings(deadline=None, max_examples=40)
@given(one_line, st.sampled_from(sorted(SPELLINGS)), st.lists(st.integers(1, 300), max_size=9))
def test_a_secret_is_masked_wherever_an_unfinished_text_is_cut(secret, form, sizes):
    redactor = Redactor([secret])
    written = SPELLINGS[form](secret)
    text = "." * redactor.longest + written + "." * redactor.longest
    assume(redactor.text("." * 50) == "." * 50)
    done, rest = "", ""
    for size in [*sizes, len(text)]:
        rest, text = rest + text[:size], text[size:]
        if len(rest) > redactor.longest:
            masked, rest = redactor.part(rest)
            done += masked
            assert len(rest) <= 2 * redactor.longest
    assert set(done + redactor.text(rest)) == {".", "*"}


@settings(deadline=None)
@given(one_line)
def test_no_character_is_written_with_more_than_the_bound_of_a_cut(secret):
    redactor = Redactor([secret])
    assert all(len(form(secret)) <= redactor.longest for form in SPELLINGS.values())
    assert redactor.longest == LONGEST_CHARACTER * len(secret)


def test_values_too_short_to_be_secrets_are_left_alone():
    assert Redactor(["", "a", "abc"]).text("a text with abc") == "a text with abc"


def test_the_words_of_every_text_are_no_secrets():
    assert Redactor(["true", "None"]).text('{"ready": true}, None') == '{"ready": true}, None'


def test_strings_are_masked_anywhere_in_a_json_value():
    value = {"hunter2": ["x hunter2", 3, None, {"k": "hunter2"}]}
    assert Redactor(["hunter2"]).value(value) == {MASK: [f"x {MASK}", 3, None, {"k": MASK}]}


def test_a_number_that_is_a_secret_is_masked_and_two_masked_keys_stay_two():
    redactor = Redactor(["12345678", "87654321"])
    assert redactor.value([12345678, 1]) == [MASK, 1]
    assert list(redactor.value({"12345678": 1, "87654321": 2}).values()) == [1, 2]


@settings(deadline=None)
@given(secrets)
def test_a_masked_value_is_json_as_before(secret):
    value = {"a": [secret, {secret: "x" + secret}]}
    masked = json.dumps(Redactor([secret]).value(value))
    assert json.loads(masked) == {
        "a": [
            Redactor([secret]).text(secret),
            {Redactor([secret]).text(secret): Redactor([secret]).text("x" + secret)},
        ]
    }


def test_without_secrets_nothing_changes():
    assert Redactor().text("anything") == "anything"


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("a" * 60 + "b", "a" * 100_000),
        ("'\"" * 30 + "x", "'\"" * 50_000),
        ("\\" * 30 + "x", "\\" * 100_000),
        ('\\"' * 30 + "x", '\\"\\\\' * 33_000),
        ("%25" * 30 + "x", "%25" * 33_000),
        ("&amp;" * 30 + "x", "&amp;" * 20_000),
        ("$" * 30 + "x", "$" * 100_000),
        ("\n \n " * 15 + "x", "\n " * 50_000),
        ("0" * 40, "30 " * 33_000),
    ],
)
def test_the_work_grows_with_the_text_and_no_faster(secret, text):
    """Runs in a process of its own: a pattern that explodes can't be interrupted otherwise."""
    code = (
        "import sys; from stackproof_redaction import Redactor;"
        f"Redactor([{secret!r}]).text(sys.stdin.read())"
    )
    subprocess.run([sys.executable, "-c", code], input=text, text=True, check=True, timeout=60)


def test_whole_patterns_are_made_only_when_a_text_has_their_beginning():
    spelling = Spelling("hunter2000")
    assert list(spelling.spans("nothing of the kind")) == []
    assert "_whole" not in vars(spelling)
    assert list(spelling.spans("hunt")) == []
    assert "_whole" in vars(spelling)


@settings(deadline=None)
@given(one_line, st.sampled_from(sorted(SPELLINGS)))
def test_a_text_that_is_a_secret_and_no_more_is_masked_in_any_form(secret, form):
    assert Redactor([secret, "a-much-longer-secret"]).text(SPELLINGS[form](secret)) == MASK


@settings(deadline=None)
@given(secrets)
def test_a_text_that_is_a_secret_in_base64_and_no_more_is_masked(secret):
    for form in encoded(secret, b"", b"").values():
        found = survivors(secret, Redactor([secret]).text(form))
        assert [name for name in found if name.startswith("Base64")] == []


def test_a_piece_of_a_long_secret_in_base64_is_masked_though_it_is_shorter_than_the_secret():
    secret = "".join(f"{number:04x}" for number in range(60))
    written = base64.b64encode(secret.encode()).decode()
    assert Redactor([secret]).text(written[40:100]) == MASK
