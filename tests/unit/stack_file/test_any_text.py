"""Any text as input gives a model or a ConfigError, never a traceback."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stackproof.errors import ConfigError
from stackproof.stack_file import StackFile, load_stack_file
from stackproof.stack_file.schema import SERVICE_KEYS

VALID = (Path(__file__).parents[3] / "systems" / "runs" / "compose.yaml").read_text()
RELAXED = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def load(folder, data):
    path = folder / "compose.yaml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ConfigError):
        assert isinstance(load_stack_file([path], {"A": "b"}), StackFile)


@RELAXED
@given(st.text())
@example("services: [")
@example("&a [*a]")
@example("a: &a {<<: *a}")
@example("? [x]\n: y")
@example("services: {x: {image: i}}\n---\nmore: 1")
@example("%YAML 9.9\n---\n")
@example("!!python/object:os.system x")
@example("\ufeffservices: {x: {image: i}}")
@example("[" * 10_000)
@example("x: " + "{a: " * 5_000)
@example("services:\n\tx: y")
def test_any_text(tmp_path, text):
    load(tmp_path, text)


@RELAXED
@given(st.binary())
@example(b"\xff\xfe\x00")
@example(b"\x00" * 100)
def test_any_bytes(tmp_path, data):
    load(tmp_path, data)


@RELAXED
@given(st.integers(0, len(VALID)), st.integers(0, 60), st.text(max_size=20))
def test_a_valid_file_that_was_changed_anywhere(tmp_path, at, cut, put):
    load(tmp_path, VALID[:at] + put + VALID[at + cut :])


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["8000:80", "${A", "${A:?}", "./x:/y", "10s", "1g", "service_healthy", "~"]),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3)
    | st.dictionaries(st.sampled_from(["x", "test", "target", "path", "condition", "limits", "y"]),
                      below, max_size=3),
    max_leaves=8,
)  # fmt: skip


@RELAXED
@given(st.dictionaries(st.sampled_from(sorted([*SERVICE_KEYS, "zzz"])), TREES, max_size=4))
def test_any_value_under_any_key_of_a_service(tmp_path, keys):
    tree = {"services": {"x": {"image": "i", **keys}, "y": {"image": "i"}}}
    load(tmp_path, yaml.safe_dump(tree, allow_unicode=True))


@RELAXED
@given(st.dictionaries(
    st.sampled_from(["services", "volumes", "networks", "name", "version", "x-stackproof", "q"]),
    TREES, max_size=4))  # fmt: skip
def test_any_value_at_the_top(tmp_path, tree):
    load(tmp_path, yaml.safe_dump(tree, allow_unicode=True))


WRITABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@RELAXED
@given(WRITABLE)
@example("\\0101 \\n")
@example("a\r\nb \n ")
@example("${A:-{}}")
def test_a_text_that_is_escaped_in_an_env_file_comes_back(tmp_path, text):
    escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("$", r"\$")
    (tmp_path / "a.env").write_text(f'A="{escaped}"\nB=1\n', encoding="utf-8", newline="")
    path = tmp_path / "compose.yaml"
    path.write_text("services: {x: {image: i, env_file: a.env}}")
    assert load_stack_file([path], {}).services["x"].environment == {"A": text, "B": "1"}


@RELAXED
@given(WRITABLE, WRITABLE)
@example("{", "}")
def test_a_text_with_doubled_dollars_comes_back_also_as_a_default(tmp_path, text, value):
    escaped = text.replace("$", "$$")
    inside = escaped.replace("{", "").replace("}", "")
    lines = {"A": escaped, "B": f"${{NONE-{inside}}}", "C": f"${{V+{inside}}}", "D": "x${V}"}
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump({"services": {"x": {"image": "i", "environment": lines}}}))
    found = load_stack_file([path], {"V": value}).services["x"].environment
    plain = text.replace("{", "").replace("}", "")
    assert found == {"A": text, "B": plain, "C": plain, "D": f"x{value}"}


def test_aliases_that_expand_without_bound_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    path = tmp_path / "compose.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="more than 100,000 values"):
        load_stack_file([path], {})


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_can_not_be_read_is_an_error(tmp_path, name):
    with pytest.raises(ConfigError, match="this file can't be read"):
        load_stack_file([tmp_path / name], {})
