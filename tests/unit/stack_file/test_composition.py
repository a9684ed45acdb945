"""Interpolation, several files, extends, profiles, order."""

import textwrap

import pytest

from stackproof.errors import ConfigError
from stackproof.stack_file import load_stack_file, select_services, start_order


@pytest.fixture
def load(tmp_path):
    def load(*texts, environment=None, files=None):
        for name, content in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(textwrap.dedent(content))
        paths = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(textwrap.dedent(text))
        return load_stack_file(paths, environment or {})

    return load


VARIABLES = {"SET": "value", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$SET/${SET}", "value/value"),
        ("${NONE}", ""),
        ("${NONE:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NONE-d}", "d"),
        ("${SET:+alt}", "alt"),
        ("${EMPTY:+alt}", ""),
        ("${EMPTY+alt}", "alt"),
        ("${NONE+alt}", ""),
        ("${NONE:-${SET}}", "value"),
        ("${NONE:-${ALSO:-${SET:-x}}}", "value"),
        ("${SET:?needed}", "value"),
        ("${EMPTY?needed}", ""),
        ("$$SET $${SET}", "$SET ${SET}"),
        ("a$SET-b", "avalue-b"),
        ("${NONE:-a:b?c}", "a:b?c"),
        ('${NONE:-{"a": {"b": {}}}}x', '{"a": {"b": {}}}x'),
        ('${SET:-{"a": 1}}x', "valuex"),
        ("${SET:-{}} ${NONE:-{a}b}", "value {a}b"),
        ("${NONE:-{${SET}}}", "{value}"),
        ("${NONE:-{} ${NONE:-}}", "{} "),
    ],
)
def test_every_form_of_interpolation(load, text, result):
    loaded = load(f"services: {{x: {{image: i, environment: {{A: '{text}'}}}}}}",
                  environment=VARIABLES)  # fmt: skip
    assert loaded.services["x"].environment["A"] == result


@pytest.mark.parametrize("text", ["${NONE:?it is needed}", "${EMPTY:?it is needed}",
                                  "${NONE?it is needed}"])  # fmt: skip
def test_a_required_variable_that_is_not_set_is_an_error_with_its_message(load, text):
    with pytest.raises(ConfigError, match="it is needed") as caught:
        load(f"services:\n  x:\n    image: '{text}'", environment=VARIABLES)
    assert (caught.value.line, caught.value.key) == (3, "services.x.image")


@pytest.mark.parametrize("text", ["${", "${}", "${A", "${1A}", "${A!b}", "${A:-${B}"])
def test_a_wrong_form_is_an_error_that_shows_the_right_ones(load, text):
    with pytest.raises(ConfigError, match="can't be interpolated") as caught:
        load(f"services: {{x: {{image: '{text}'}}}}")
    assert "${NAME:-default}" in caught.value.remedy


def test_numbers_and_booleans_may_come_from_variables(load):
    loaded = load("services: {x: {image: i, init: '${I}', cpus: '${C}', ports: ['${P}:80']}}",
                  environment={"I": "true", "C": "0.5", "P": "8080"})  # fmt: skip
    service = loaded.services["x"]
    assert (service.init, service.limits.cpus, service.ports[0].published) == (True, 0.5, "8080")


def test_the_dotenv_of_the_project_stands_behind_the_given_environment(load):
    loaded = load("services: {x: {image: '${A}-${B}'}}", environment={"A": "given"},
                  files={".env": "A=file\nB=file\n"})  # fmt: skip
    assert loaded.services["x"].image == "given-file"


def test_what_was_looked_up_is_remembered(load):
    loaded = load("services: {x: {image: '${A:-x}$B'}}", environment={"B": "b"})
    assert loaded.variables == {"A": None, "B": "b"}


def test_a_later_file_is_merged_over_an_earlier_one(load):
    loaded = load(
        """\
        services:
          x:
            image: one
            command: [a, b]
            environment: {A: "1", B: "1"}
            ports: ["80"]
            volumes: ["data:/d", "./keep:/k"]
            depends_on: [y]
            healthcheck: {test: [CMD, one], retries: 2}
          y: {image: y}
        volumes: {data: }
        """,
        """\
        services:
          x:
            image: two
            command: c
            environment: [B=2, C=2]
            ports: ["80", "81"]
            volumes: ["./over:/d"]
            depends_on: {z: {condition: service_healthy}}
            healthcheck: {test: two}
          z: {image: z}
        """,
    )
    x = loaded.services["x"]
    assert (x.image, x.command) == ("two", ("c",))
    assert x.environment == {"A": "1", "B": "2", "C": "2"}
    assert [port.target for port in x.ports] == [80, 81]
    assert {mount.target: mount.kind for mount in x.mounts} == {"/d": "bind", "/k": "bind"}
    assert set(x.depends_on) == {"y", "z"}
    assert (x.healthcheck.test, x.healthcheck.retries) == (("CMD-SHELL", "two"), 2)


def test_reset_and_override(load):
    loaded = load(
        "services: {x: {image: i, ports: ['80'], environment: {A: '1'}, command: a}}",
        "services: {x: {ports: !override ['81'], environment: !reset , command: !reset }}",
    )
    x = loaded.services["x"]
    assert [port.target for port in x.ports] == [81]
    assert (x.environment, x.command) == ({}, None)


def test_extends_within_a_file_and_from_another_folder(load, tmp_path):
    loaded = load(
        """\
        services:
          base: {image: i, environment: {A: base, B: base}}
          x: {extends: base, environment: {B: own}}
          y: {extends: {file: sub/other.yaml, service: far}, environment: {C: own}}
        """,
        files={
            "sub/other.yaml": """\
                services:
                  far: {build: ., env_file: far.env, volumes: ["./here:/here"], expose: [1]}
                """,
            "sub/far.env": "F=far\n",
        },
    )
    x, y = loaded.services["x"], loaded.services["y"]
    assert (x.image, x.environment) == ("i", {"A": "base", "B": "own"})
    assert y.build.context == tmp_path / "sub"
    assert y.environment == {"F": "far", "C": "own"}
    assert y.mounts[0].source == str(tmp_path / "sub" / "here")


def test_paths_of_an_override_in_another_folder_belong_to_the_project_folder(tmp_path):
    base = "services: {{b: {{image: {}, build: c, volumes: ['./d:/d'], env_file: e.env}}}}"
    for folder, image in ((tmp_path, "root"), (tmp_path / "sub", "sub")):
        folder.mkdir(exist_ok=True)
        (folder / "base.yaml").write_text(base.format(image))
        (folder / "e.env").write_text(f"A={image}")
    (tmp_path / "compose.yaml").write_text("services: {x: {image: i}}")
    over = tmp_path / "sub" / "over.yaml"
    for extends in ("{file: base.yaml, service: b}", "{service: y}"):
        own = base.format("root").replace("services: {b:", "").rstrip("}") + "}"
        over.write_text(f"services: {{x: {{extends: {extends}}}, y: {own}}}")
        x = load_stack_file([tmp_path / "compose.yaml", over], {}).services["x"]
        assert (x.image, x.environment) == ("root", {"A": "root"})
        assert (x.build.context, x.mounts[0].source) == (tmp_path / "c", str(tmp_path / "d"))


def test_the_folder_of_a_link_is_the_one_that_an_extended_file_stands_in(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "base.yaml").write_text("services: {b: {image: i, build: c}}")
    (tmp_path / "sub2").mkdir()
    (tmp_path / "sub2" / "link.yaml").symlink_to("../sub/base.yaml")
    path = tmp_path / "compose.yaml"
    path.write_text("services: {x: {extends: {file: sub2/link.yaml, service: b}}}")
    assert load_stack_file([path], {}).services["x"].build.context == tmp_path / "sub2" / "c"


def test_an_extended_file_that_does_not_exist_is_named_where_it_is_written(tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text("services:\n  x: {extends: {file: no.yaml, service: b}}")
    with pytest.raises(ConfigError, match=r"no\.yaml does not exist") as caught:
        load_stack_file([path], {})
    assert (caught.value.line, caught.value.key) == (2, "services.x.extends.file")


def test_services_that_extend_each_other_are_an_error(load):
    with pytest.raises(ConfigError, match="in a circle"):
        load("services: {x: {extends: y}, y: {extends: x}}")


PROFILES = """\
services:
  api: {image: i}
  beat: {image: i, profiles: [beat], depends_on: [api]}
  debug: {image: i, profiles: [debug, all]}
"""


@pytest.mark.parametrize(
    ("profiles", "names"),
    [([], ["api"]), (["beat"], ["api", "beat"]), (["all"], ["api", "debug"]),
     (["*"], ["api", "beat", "debug"])],
)  # fmt: skip
def test_profiles_switch_services_on(load, profiles, names):
    assert sorted(select_services(load(PROFILES), profiles)) == names


def test_a_named_service_brings_what_it_depends_on(load):
    assert sorted(select_services(load(PROFILES), [], ["beat"])) == ["api", "beat"]


def test_a_needed_service_that_is_off_is_an_error_that_names_its_profile(load):
    text = "services: {x: {image: i, depends_on: [y]}, y: {image: i, profiles: [p]}}"
    with pytest.raises(ConfigError, match="whose profile is off") as caught:
        select_services(load(text), [])
    assert "profile p" in caught.value.remedy


def test_a_service_that_is_off_and_not_required_is_left_out(load):
    text = """\
    services:
      x: {image: i, depends_on: {y: {condition: service_started, required: false}}}
      y: {image: i, profiles: [p]}
    """
    assert select_services(load(text), [])["x"].depends_on == {}


def test_the_start_order_puts_dependencies_first(load):
    text = (
        "services: {c: {image: i, depends_on: [b]}, a: {image: i}, b: {image: i, depends_on: [a]}}"
    )
    assert start_order(load(text).services) == ("a", "b", "c")


def chain(tmp_path, *, extends):
    count = 1500
    lines = ["services:", "  s0: {image: i, environment: {DEEP: '1'}}"]
    for n in range(1, count):
        below = f"extends: s{n - 1}" if extends else f"image: i, depends_on: [s{n - 1}]"
        lines.append(f"  s{n}: {{{below}}}")
    path = tmp_path / "compose.yaml"
    path.write_text("\n".join(lines))
    return load_stack_file([path], {}).services


def test_a_chain_of_extends_may_be_of_any_length(tmp_path):
    assert chain(tmp_path, extends=True)["s1499"].environment == {"DEEP": "1"}


def test_a_chain_of_dependencies_may_be_of_any_length(tmp_path):
    assert start_order(dict(reversed(chain(tmp_path, extends=False).items())))[-1] == "s1499"


def test_each_file_of_a_long_chain_of_extends_is_read_once(tmp_path, monkeypatch):
    from stackproof.stack_file.reading import yaml_text

    read = []
    monkeypatch.setattr(
        yaml_text, "read_text_file", lambda path: read.append(path) or path.read_text()
    )
    (tmp_path / "base.yaml").write_text("services: {base: {image: i}}")
    services = "\n".join(
        f"  s{n}: {{extends: {{file: base.yaml, service: base}}}}" for n in range(50)
    )
    (tmp_path / "compose.yaml").write_text(f"services:\n{services}")
    assert len(load_stack_file([tmp_path / "compose.yaml"], {}).services) == 50
    assert [path.name for path in read] == ["compose.yaml", "base.yaml"]


def test_services_that_extend_each_other_in_a_circle_are_named(tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text("services: {a: {extends: b}, b: {extends: c}, c: {extends: b}}")
    with pytest.raises(ConfigError, match="in a circle: a → b → c → b"):
        load_stack_file([path], {})


def test_a_service_has_a_thousand_mounts_at_most(load):
    mounts = [f"./v{number}:/v{number}" for number in range(1001)]
    text = "services: {{app: {{image: x, volumes: [{}]}}}}"
    assert len(load(text.format(", ".join(mounts[1:]))).services["app"].mounts) == 1000
    with pytest.raises(ConfigError, match="can't have more than 1000 mounts"):
        load(text.format(", ".join(mounts)))
