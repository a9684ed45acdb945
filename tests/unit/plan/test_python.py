"""A Python service runs on the version that its files name, with what its Dockerfile installs."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.errors import ConfigError
from stackproof.plan.python.installs import read_installs
from stackproof.plan.python.other_locks import locked_versions, poetry_requirements
from stackproof.plan.python.projects import source_roots, static_metadata
from stackproof.plan.python.requirements import pinned_name, read_requirements
from stackproof.plan.python.versions import python_version, version_of_image
from stackproof.plan.runtime import LocalProject
from stackproof.plan.services.dockerfile import read_dockerfile
from stackproof.plan.services.extension import Extension

PYPROJECT = "[project]\nname = 'shop'\nversion = '1'\n"


class Context:
    """A build context."""

    def __init__(self, folder):
        self.folder = folder
        self.write("pyproject.toml", PYPROJECT)

    def write(self, name, text=""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, *lines, **options):
        return read_installs(read_dockerfile("\n".join(lines), **options), self.folder)

    def install(self, *lines):
        (found,) = self.read("FROM python:3.12", "WORKDIR /app", *lines).installs
        return found


@pytest.fixture
def context(tmp_path):
    return Context(tmp_path)


# Versions


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("python:3.10-slim", "3.10"),
        ("python:3.10.13-bookworm", "3.10.13"),
        ("docker.io/library/python:3.12-alpine3.20@sha256:0", "3.12"),
        ("registry:5000/mirror/python:3.13.0rc2", "3.13.0"),
        ("python:3", "3"),
        ("python", ""),
        ("python:slim", ""),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", "3.12"),
        ("tiangolo/uvicorn-gunicorn-fastapi:python3.11", "3.11"),
        ("gcr.io/distroless/python3-debian12", "3.11"),
        ("debian:12", ""),
        ("postgres:16", ""),
        ("", ""),
    ],
)
def test_the_tag_of_an_image_names_a_version(image, version):
    assert version_of_image(image) == version


def version(context, *lines, python="", **options):
    image = read_dockerfile("\n".join(lines), **options) if lines else None
    found = python_version(Extension(python=python), image, context.folder)
    return found.request, found.source


def test_the_version_is_that_of_the_extension_then_the_image_then_the_project(context):
    assert version(context) == ("", "")
    context.write("pyproject.toml", PYPROJECT + "requires-python = '>=3.11, <3.14'\n")
    assert version(context) == (">=3.11,<3.14", "requires-python")
    context.write(".python-version", "cpython-3.13.1\n3.12\n")
    assert version(context, "FROM debian") == ("3.13.1", ".python-version")
    assert version(context, "FROM python:3.10") == ("3.10", "FROM python:3.10")
    assert version(context, "FROM python:3.10", python="3.9") == ("3.9", "x-stackproof.python")


def test_the_version_comes_through_stages_arguments_and_platforms(context):
    lines = (
        *(
            "ARG PYTHON_VERSION=3.10",
            "FROM --platform=$BUILDPLATFORM python:${PYTHON_VERSION} AS a",
        ),
        *("FROM a AS b", "FROM b"),
    )
    assert version(context, *lines)[0] == "3.10"
    assert version(context, *lines, arguments={"PYTHON_VERSION": "3.13"})[0] == "3.13"
    assert (
        version(context, "FROM python:3.9 AS a", "FROM debian", "COPY --from=a /x /x")[0] == "3.9"
    )


@pytest.mark.parametrize(
    ("written", "request_"),
    [("^3.11", ">=3.11,<4"), ("~3.11", ">=3.11,<3.12"), (">=3.9,<4.0", ">=3.9,<4.0")],
)
def test_poetrys_form_of_a_range_is_understood(context, written, request_):
    context.write("pyproject.toml", f"[tool.poetry.dependencies]\npython = '{written}'\n")
    assert version(context) == (request_, "tool.poetry")


# What a Dockerfile installs

BIND = "--mount=type=bind,source=deploy/requirements/web.txt,target=r.txt"


def test_a_requirement_file_is_found_where_it_was_copied_from(context):
    file = context.write("deploy/requirements/web.txt")
    for lines in (
        ("COPY deploy/requirements/web.txt .", "RUN pip install -r web.txt"),
        ("COPY deploy/ ./deploy/", "RUN cd deploy && pip3 install -rrequirements/web.txt"),
        ("COPY . /src", "RUN python -m pip install --requirement=/src/deploy/requirements/web.txt"),
        ("COPY deploy/requirements/*.txt /tmp/", "RUN uv pip install --system -r /tmp/web.txt"),
        (f"RUN {BIND} --mount=type=cache,target=/root/.cache pip install -r r.txt",),
        ("COPY . .", "ENV KIND=web", 'RUN ["pip", "install", "-r", "deploy/requirements/web.txt"]'),
        ("COPY . .", "ENV KIND=web", "RUN pip install -r deploy/requirements/$KIND.txt"),
        ("COPY . .", "RUN <<EOF", "set -e", "pip install -r deploy/requirements/web.txt", "EOF"),
        ("COPY . .", "RUN bash -c 'uv pip sync deploy/requirements/web.txt'"),
    ):
        assert context.install(*lines).files == (file,), lines


def test_packages_projects_constraints_and_options_are_taken_and_the_rest_left(context):
    constraints = context.write("constraints.txt")
    found = context.install(
        "COPY . .",
        "RUN PIP_X=1 /opt/venv/bin/pip install --no-cache-dir -q --timeout 60 -U 'flask>=2' "
        "git+https://example.org/x.git -c constraints.txt -e .[dev,test] --pre "
        "--extra-index-url https://example.org/simple --target /deps",
    )
    assert found.packages == ("flask>=2", "git+https://example.org/x.git")
    assert found.constraints == (constraints,)
    assert found.projects == (LocalProject(context.folder, ("dev", "test")),)
    assert found.options == (
        *("--upgrade", "--prerelease=allow"),
        *("--extra-index-url", "https://example.org/simple"),
    )


def test_lines_count_in_their_order_through_all_stages(context):
    context.write("requirements.txt")
    found = context.read(
        *("FROM python:3.12 AS build", "WORKDIR /build", "COPY requirements.txt ."),
        "RUN pip wheel -r requirements.txt -w /wheels",
        *("FROM node:22 AS other", "RUN pip install not-of-this-image"),
        *("FROM python:3.12-slim", "RUN pip install --upgrade pip"),
        "COPY --from=build /wheels /wheels",
        "RUN pip install --no-index --find-links=/wheels /wheels/*.whl && pip install gunicorn",
    )
    assert [(one.packages, len(one.files), one.options) for one in found.installs] == [
        (("pip",), 0, ("--upgrade",)),
        ((), 1, ()),
        (("gunicorn",), 0, ()),
    ]
    assert list(found.others) == []


def test_only_the_target_stage_is_installed(context):
    lines = ("FROM python AS a", "RUN pip install a", "FROM python AS b", "RUN pip install b")
    assert [one.packages for one in context.read(*lines, target="a").installs] == [("a",)]


def test_a_sync_of_uv_takes_the_lock_of_the_workspace_with_its_options(context):
    lock = context.write("uv.lock")
    member = context.write("packages/api/pyproject.toml", PYPROJECT).parent
    found = context.read(
        *("FROM python:3.12", "WORKDIR /app", "COPY . ."),
        "RUN uv sync --frozen --no-install-project",
        "RUN cd packages/api && uv sync --locked --no-dev --extra s3 --package=api --no-editable",
    )
    (sync,) = found.installs
    assert (sync.tool, sync.lock, sync.projects) == ("uv", lock, (LocalProject(member),))
    assert sync.options == ("--no-dev", "--extra", "s3", "--package", "api")
    assert found.makes_virtualenv


def test_poetry_pdm_and_pipenv_bring_their_locks(context):
    for tool, name in (("poetry", "poetry.lock"), ("pdm", "pdm.lock"), ("pipenv", "Pipfile.lock")):
        lock = context.write(name)
        found = context.install("COPY . .", f"RUN {tool} config x y && {tool} install --no-root")
        assert (found.tool, found.lock, found.options) == (tool, lock, ("--no-root",))


def test_what_can_not_be_done_is_told_and_what_leaves_nothing_is_not(context):
    found = context.read(
        *("FROM python:3.12", "WORKDIR /app", "COPY . ."),
        "RUN apt-get update && apt-get install -y --no-install-recommends libpq-dev gcc=4:12 "
        "&& rm -rf /var/lib/apt/lists/* && mkdir -p /data && useradd app",
        "RUN curl -sSL https://example.org/install.sh | sh",
        "RUN python manage.py collectstatic --noinput",
        "RUN pip install -r nowhere.txt",
        "RUN pip install $PACKAGES",
        "RUN pip config set global.x y && python -m compileall .",
    )
    assert found.installs == []
    assert list(found.system) == ["libpq-dev", "gcc"]
    assert list(found.others) == [
        "curl -sSL https://example.org/install.sh",
        "python manage.py collectstatic --noinput",
        "pip install -r nowhere.txt",
        "pip install $PACKAGES",
    ]


WORDS = [
    *("pip install ", "uv sync ", "poetry install ", "-r ", "-e ", "-c", ". ", "--extra ", "cd "),
    *("&& ", "x ", "'", '"', "$X ", "/wheels/* ", "--from=", "| ", "(", "sh -c ", "\\\n", "[", "="),
    *("@ ", "--find-links "),
]


@given(st.lists(st.sampled_from(WORDS), max_size=20).map("".join) | st.text(max_size=60))
def test_any_run_line_can_be_read(text):
    read_installs(read_dockerfile(f"FROM python\nCOPY . .\nRUN {text}"), Path("/nowhere"))


# Requirement files


def test_files_that_are_included_are_joined_and_projects_set_apart(context):
    context.write("libs/shared/setup.py")
    wheel = context.write("dist/x-1-py3-none-any.whl")
    base = context.write("base.txt", "# all\nsix==1.17.0 \\\n    --hash=sha256:0  # pinned\n")
    bounds = context.write("bounds.txt", "urllib3<3\n")
    whole = context.write(
        "all.txt",
        "-r base.txt\n--constraint=bounds.txt\n-e ./libs/shared[cli] ; python_version > '3'\n"
        "./dist/x-1-py3-none-any.whl\nflask  >= 2\n--index-url https://example.org/simple\n"
        "shop @ file://.\n-r all.txt\n",
    )
    found = read_requirements(whole)
    assert found.lines == (
        *("six==1.17.0 --hash=sha256:0", str(wheel), "flask >= 2"),
        "--index-url https://example.org/simple",
    )
    assert found.constraints == ("urllib3<3",)
    assert found.projects == (
        LocalProject(context.folder / "libs" / "shared", ("cli",)),
        LocalProject(context.folder),
    )
    assert found.files == (whole, base, bounds)
    assert found.is_hashed


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Flask_Login==0.6.3", "flask-login"),
        ("six === 1.17 ; python_version > '3'", "six"),
        ("uvicorn[standard]==0.30.1 --hash=sha256:0", "uvicorn"),
        ("x @ https://example.org/x.whl", "x"),
        ("six", ""),
        ("six>=1,==1.*", ""),
        ("six==1.*", ""),
        ("--pre", ""),
    ],
)
def test_a_requirement_is_pinned_where_it_leaves_no_choice(line, name):
    assert pinned_name(line) == name


@given(st.text())
def test_any_requirement_file_can_be_read(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "requirements.txt"
    path.write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(ConfigError):
        read_requirements(path)


# Projects and other locks


def test_a_project_says_what_it_is_without_being_built(context):
    context.write(
        "pyproject.toml",
        "[project]\nname = 'shop'\nversion = '1'\ndependencies = ['six']\n"
        "[project.optional-dependencies]\na = ['x']\nall = ['shop[a]', 'y']\n",
    )
    assert static_metadata(context.folder).requirements(["all"]) == ["six", "y", "x"]


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname = 'shop'\ndynamic = ['version']\n",
        "[project]\nname = 'shop'\nversion = '1'\ndynamic = ['dependencies']\n",
        f"{PYPROJECT}[build-system]\nbuild-backend = 'maturin'\nrequires = []\n",
        f"{PYPROJECT}[tool.setuptools.package-dir]\nshop = 'lib/code'\n",
        "[tool.poetry]\nname = 'shop'\nversion = '1'\n[tool.poetry.dependencies]\nsix = '^1'\n",
        "[tool.ruff]\n",
    ],
)
def test_a_project_that_only_its_builder_knows_is_none_of_them(context, text):
    context.write("pyproject.toml", text)
    assert static_metadata(context.folder) is None


@pytest.mark.parametrize(
    "text",
    [
        "[tool.hatch.build.targets.wheel]\npackages = ['backend/shop']\n",
        "[tool.setuptools.packages.find]\nwhere = ['backend']\n",
        "[tool.setuptools.package-dir]\n'' = 'backend'\n",
        "[[tool.poetry.packages]]\ninclude = 'shop'\nfrom = 'backend'\n",
        "[tool.uv.build-backend]\nmodule-root = 'backend'\n",
    ],
)
def test_packages_are_where_the_build_backend_is_told(context, text):
    context.write("backend/shop/__init__.py")
    context.write("pyproject.toml", text)
    assert source_roots(context.folder) == (context.folder / "backend",)


def test_versions_are_taken_from_the_locks_of_other_tools(context):
    lock = context.write(
        "poetry.lock",
        "[[package]]\nname = 'six'\nversion = '1.17.0'\n"
        "[[package]]\nname = 'numpy'\nversion = '1'\n[[package]]\nname = 'numpy'\nversion = '2'\n"
        "[[package]]\nname = 'own'\nversion = '1'\nsource = {type = 'directory', url = 'own'}\n",
    )
    assert locked_versions(lock) == ["six==1.17.0"]
    pipfile = context.write("Pipfile.lock", json.dumps({"default": {"six": {"version": "==1.16"}}}))
    assert locked_versions(pipfile) == ["six==1.16"]


@pytest.mark.parametrize("text", ["[[package", "{", "\0"])
def test_a_broken_lock_is_an_error(context, text):
    with pytest.raises(ConfigError, match="the lock can't be read"):
        locked_versions(context.write("poetry.lock", text))


@pytest.mark.parametrize("text", ["package = 1", '{"default": 3}', "[[package]]\nname = 'x'"])
def test_a_lock_that_names_nothing_gives_nothing(context, text):
    assert locked_versions(context.write("poetry.lock", text)) == []


def test_the_packages_that_poetry_names_are_found_without_their_versions(context):
    context.write(
        "pyproject.toml",
        "[tool.poetry.dependencies]\npython = '^3.11'\nsix = '^1'\nown = {path = 'own'}\n"
        "uvicorn = {version = '*', extras = ['standard']}\n"
        "maybe = {version = '1', optional = true}\n"
        "src = {git = 'https://example.org/x.git', tag = 'v1'}\n"
        "[tool.poetry.group.web.dependencies]\nflask = '*'\n",
    )
    assert poetry_requirements(context.folder, ("web", "none")) == [
        *("six", "uvicorn[standard]", "src @ git+https://example.org/x.git@v1", "flask"),
    ]
