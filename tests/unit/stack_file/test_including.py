"""`include`: other Compose files, each with its own folder and variables, as Compose reads them."""

import textwrap

import pytest

from stackproof.errors import ConfigError
from stackproof.stack_file import load_stack_file

FILES = {
    "compose.yaml": """\
        include:
          - sub/compose.yaml
          - path: [other.yaml, over.yaml]
            project_directory: sub
            env_file: vars.env
        services:
          main: {image: "main:${TAG:-none}", volumes: ["./data:/data", "shared:/s"]}
        volumes: {shared: {}}
        """,
    "sub/compose.yaml": """\
        include: [deep/compose.yaml]
        services:
          one:
            image: "one:${TAG:-none}"
            build: {dockerfile: Own}
            volumes: ["./data:/data", "shared:/s"]
            environment: [TAG]
            env_file: one.env
            secrets: [token]
        volumes: {shared: {}}
        secrets: {token: {file: token.txt}}
        """,
    "sub/.env": "TAG=sub\n",
    "sub/one.env": "OF_FILE=1\n",
    "sub/deep/compose.yaml": """\
        services:
          deep: {image: "deep:${TAG:-none}", volumes: ["./data:/data"]}
        """,
    "other.yaml": """\
        services:
          other: {image: "other:${OTHER:-none}", volumes: ["./data:/data"]}
        networks: {back: {}}
        """,
    "over.yaml": "services: {other: {environment: {A: b}}}\n",
    "vars.env": "OTHER=of-vars\n",
}


@pytest.fixture
def write(tmp_path):
    def write(**changed):
        for name, text in {**FILES, **changed}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return tmp_path

    return write


def load(folder, *more, **environment):
    return load_stack_file([folder / name for name in ("compose.yaml", *more)], environment)


def test_each_file_has_its_own_folder_and_variables(write):
    folder = write()
    stack = load(folder)
    assert {name: service.image for name, service in stack.services.items()} == {
        "main": "main:none", "one": "one:sub", "deep": "deep:sub", "other": "other:of-vars",
    }  # fmt: skip
    sources = {
        name: {mount.target: mount.source for mount in service.mounts}
        for name, service in stack.services.items()
    }
    assert sources == {
        "main": {"/data": f"{folder}/data", "/s": "shared"},
        "one": {
            "/data": f"{folder}/sub/data", "/s": "shared",
            "/run/secrets/token": f"{folder}/sub/token.txt",
        },
        "deep": {"/data": f"{folder}/sub/deep/data"},
        "other": {"/data": f"{folder}/sub/data"},
    }  # fmt: skip
    assert stack.services["one"].build.context == folder / "sub"
    assert stack.services["one"].environment == {"TAG": "sub", "OF_FILE": "1"}
    assert stack.services["other"].environment == {"A": "b"}
    assert set(stack.networks) == {"back"}
    assert {str(path.relative_to(folder)) for path in stack.sources} == {
        "compose.yaml", "sub/compose.yaml", "sub/deep/compose.yaml", "other.yaml", "over.yaml",
    }  # fmt: skip


def test_variables_of_the_including_project_are_stronger_and_those_of_files_stay_in_them(write):
    folder = write()
    assert load(folder, TAG="given").services["one"].image == "one:given"
    assert load(folder, TAG="given").variables == {"TAG": "given"}
    assert load(folder).variables == {"TAG": None}


def test_a_file_that_is_merged_later_changes_what_was_included(write):
    folder = write(**{"compose.override.yaml": "services: {one: {image: another}}\n"})
    assert load(folder, "compose.override.yaml").services["one"].image == "another"


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (
            {"other.yaml": "services: {main: {image: b}}\n"},
            "'main' is under services of other.yaml",
        ),
        ({"other.yaml": "volumes: {shared: {name: a}}\n"}, "'shared' is under volumes"),
        ({"compose.yaml": "include: [missing.yaml]\n"}, "missing.yaml does not exist"),
        ({"compose.yaml": "include: other.yaml\n"}, "include"),
        ({"compose.yaml": "include: [{paths: other.yaml}]\n"}, "did you mean path?"),
        ({"compose.yaml": "include: [{env_file: vars.env}]\n"}, "path"),
        (
            {"compose.yaml": "include: [{path: other.yaml, env_file: none.env}]\n"},
            "none.env can't be read",
        ),
        ({"sub/deep/compose.yaml": "include: [../compose.yaml]\n"}, "compose.yaml includes itself"),
    ],
)
def test_what_can_not_be_included_is_told_where_it_stands(write, changed, what):
    with pytest.raises(ConfigError) as caught:
        load(write(**changed))
    assert what in str(caught.value)
    assert caught.value.line is not None


def test_files_without_services_can_be_included_and_can_include_all_services(write):
    folder = write(**{
        "compose.yaml": "include: [sub/compose.yaml, volumes.yaml]\n",
        "volumes.yaml": "volumes: {more: {labels: {A: b}}}\nconfigs: {c: {content: x}}\n",
    })  # fmt: skip
    stack = load(folder)
    assert (list(stack.services), set(stack.volumes)) == (["one", "deep"], {"shared", "more"})
