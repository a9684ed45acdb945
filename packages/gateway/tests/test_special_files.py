"""Whatever a person gives the gateway as a file, it neither waits nor breaks, and says why."""

import os
from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof_gateway import yaml_files
from stackproof_gateway.concepts import load_concepts
from stackproof_gateway.provider.cassettes import Cassettes, load_cassette
from stackproof_gateway.provider.masking import Masker
from stackproof_gateway.provider.prices import load_prices
from stackproof_gateway.script_reading import load_scripts
from stackproof_gateway.strict_fields import ScriptError

READERS = [load_scripts, load_concepts, load_cassette, load_prices]
each_reader = pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 9)
)

TEXTS = {
    "deep": ("scripts: " + "[" * 1200 + "]" * 1200, "nested too deeply"),
    "itself": ("scripts: &a [*a]\n", r"file\.yaml"),
    "bomb": (BOMB, r"file\.yaml"),
    "no-date": ("scripts: 2024-99-99\n", r"file\.yaml"),
    "long-number": ("scripts: " + "9" * 5000, r"file\.yaml"),
    "no-binary": ("scripts: !!binary '#'\n", r"file\.yaml"),
    "no-integer": ("scripts: !!int ''\n", r"file\.yaml"),
    "no-float": ("scripts: !!float x\n", r"file\.yaml"),
    "object": ("scripts: !!python/object:os.system x\n", "python"),
    "bytes": (b"\xff", "UTF-8 text, from byte 0"),
}


@each_reader
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "not a regular file"),
        (os.mkdir, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to(path.name), "Too many levels"),
        (lambda _: None, "No such file"),
    ],
    ids=["fifo", "folder", "device", "circle", "missing"],
)
def test_a_file_that_is_no_regular_one_is_an_error_that_says_so(tmp_path, read, make, why):
    make(tmp_path / "file.yaml")
    with pytest.raises(ScriptError, match=why):
        read(tmp_path / "file.yaml")


@each_reader
def test_a_file_that_is_too_large_is_an_error(tmp_path, monkeypatch, read):
    monkeypatch.setattr(yaml_files, "LARGEST", 3 << 20)
    with (tmp_path / "file.yaml").open("wb") as file:
        file.truncate((3 << 20) + 1)
    with pytest.raises(ScriptError, match="larger than 3 MiB"):
        read(tmp_path / "file.yaml")


def test_a_pipe_among_the_recordings_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "one.yaml")
    with pytest.raises(ScriptError, match=r"one\.yaml: .*not a regular file"):
        Cassettes(tmp_path, Masker())


@each_reader
@pytest.mark.parametrize(("text", "why"), TEXTS.values(), ids=TEXTS)
def test_yaml_that_breaks_others_is_an_error(tmp_path, monkeypatch, read, text, why):
    monkeypatch.setattr(yaml_files, "MOST_VALUES", 2000)
    (tmp_path / "file.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ScriptError, match=why):
        read(tmp_path / "file.yaml")


KEYS = st.sampled_from(
    "scripts name when reply replies times optional model path text regex error usage status delay "
    "concepts pinned request method body headers stream content json models endpoints input output "
    "max_output".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.dates(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4),
    max_leaves=12,
)


@each_reader
@given(
    content=st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | VALUES.map(lambda value: yaml.safe_dump(value, allow_unicode=True).encode("utf-8"))
)
@settings(max_examples=60, deadline=None)
def test_any_content_is_read_or_refused(tmp_path_factory, read, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    with suppress(ScriptError):
        read(path)


@pytest.mark.parametrize(
    ("load", "text", "message"),
    [
        (load_concepts, "concept: {}\n", "line 1: .*did you mean `concepts`"),
        (load_concepts, "concepts: {a: b}\n", "expected lists of texts"),
        (load_concepts, "pinned: [[]]\n", "expected lists of texts"),
        (load_concepts, "a: [\n", "while parsing"),
        (load_prices, "models: {m: {input: -1}}", "models.m.input: expected US dollars, .* -1"),
        (load_prices, "models: {m: {input: cheap}}", "m.input: expected US dollars, .* 'cheap'"),
        (load_prices, "models: {m: {input: .inf}}", "m.input: expected US dollars, but got inf"),
        (load_prices, "models: {m: {input: }}", "m.input: expected US dollars, but got nothing"),
        (load_prices, "models: {m: {input: 1, output: }}", "m.output: .* but got nothing"),
        (load_prices, "models: {m: }", "m: `input` is missing: US dollars for a million tokens"),
        (load_prices, "models: [m]", "models: expected keys and values"),
        (load_prices, "endpoints: {GET *: true}", r"GET \*: expected US dollars, but got True"),
        (load_prices, "endpoints: {GET *: }", r"GET \*: expected US dollars, but got nothing"),
        (load_prices, "models: {m: {input: 1, max: 2}}", "m.max: unknown key `max`; known: "),
    ],
)
def test_what_a_file_says_wrongly_is_refused_and_never_taken_for_nothing(
    tmp_path, load, text, message
):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(ScriptError, match=message):
        load(path)
