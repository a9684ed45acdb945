"""Dockerfiles of any language as steps that can be done without Docker."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.engines.process.builds.node import NPM_OF, OF_WHEELS
from stackproof.engines.process.builds.php import extensions_in
from stackproof.errors import ConfigError
from stackproof.plan.builds.bases import base_of
from stackproof.plan.builds.model import SYSTEM_PATH, Bound, Copy, Folder, Run
from stackproof.plan.builds.packages import packages_of
from stackproof.plan.builds.reading import read_build
from stackproof.stack_file.model import Build

NODE = 'FROM node:20-alpine\nWORKDIR /app\nCOPY . .\nRUN npm ci\nEXPOSE 3000\nCMD ["npm", "start"]'


def read(*lines, **build):
    return read_build(Build(Path("/context"), **build), "\n".join(lines))


def steps(*lines, **build):
    return read("FROM node:20", *lines, **build).recipe.stages[-1].steps


@pytest.mark.parametrize(
    ("reference", "kind", "version", "java"),
    [
        ("node:20-alpine", "node", "20", ""),
        ("docker.io/library/node:22.3.0-bookworm-slim", "node", "22.3.0", ""),
        ("node:iron-slim", "node", "20", ""),
        ("node:lts", "node", "", ""),
        ("golang:1.22-alpine3.20", "go", "1.22", ""),
        ("eclipse-temurin:21-jre-alpine", "java", "", "21"),
        ("openjdk:17-jdk-slim", "java", "", "17"),
        ("maven:3.9-eclipse-temurin-17-alpine", "maven", "3.9", "17"),
        ("gradle:8.5-jdk21", "gradle", "8.5", "21"),
        ("nginx:1.25-alpine", "nginx", "1.25", ""),
        ("alpine:3.19", "system", "", ""),
        ("scratch", "system", "", ""),
        ("gcr.io/distroless/static-debian12:nonroot", "system", "", ""),
        ("gcr.io/distroless/nodejs20-debian12", "node", "20", ""),
    ],
)
def test_a_base_is_known_by_its_reference(reference, kind, version, java):
    base = base_of(reference)
    assert (base.kind, base.version, base.java) == (kind, version, java)


@pytest.mark.parametrize("reference", ["php:8.2-apache", "company/base:1", "static:1", ""])
def test_no_base_is_guessed(reference):
    assert base_of(reference) is None


def test_only_stages_that_are_needed_are_built_each_after_what_it_needs():
    found = read(
        *("FROM node:20 AS deps", "FROM golang:1.22 AS unused", "RUN go build"),
        *("FROM deps AS built", "FROM alpine AS tools", "FROM scratch"),
        *("COPY --from=built /a /a", "RUN --mount=type=bind,from=3,target=/t true"),
    )
    assert [stage.name for stage in found.recipe.stages] in (
        ["deps", "built", "tools", "4"], ["tools", "deps", "built", "4"],
    )  # fmt: skip


def test_a_stage_that_is_the_target_is_the_last_one():
    found = read("FROM node:20 AS dev", 'CMD ["dev"]', "FROM node:20 AS prod", target="dev")
    assert (found.recipe.stages[-1].name, found.image.argv[-1]) == ("dev", "dev")


def test_an_image_that_is_copied_from_is_a_stage_without_steps():
    found = read("FROM alpine", "COPY --from=node:20 /usr/local/bin/node /usr/local/bin/")
    brought = found.recipe.stages[0]
    assert (brought.name, brought.steps) == ("node:20", ())


def test_a_command_gets_what_the_dockerfile_has_said_so_far():
    run, folder, later = steps(
        "ARG A=1", "ENV B=2", "RUN echo $A$B", "WORKDIR /srv", "USER node", "ENV B=3", "RUN b"
    )
    assert run == Run(4, "RUN echo $A$B", ("/bin/sh", "-c", "echo $A$B"),
                      {"PATH": SYSTEM_PATH, "A": "1", "B": "2"})  # fmt: skip
    assert folder == Folder(5, "/srv")
    assert (later.workdir, later.user, later.environment["B"]) == ("/srv", "node", "3")


def test_a_path_is_added_to_that_of_the_base():
    assert steps("ENV PATH=/x:$PATH", "RUN a")[0].environment["PATH"] == f"/x:{SYSTEM_PATH}"


def test_the_shell_the_exec_form_and_scripts_are_run_as_written():
    assert steps('SHELL ["bash", "-c"]', "RUN a")[0].argv == ("bash", "-c", "a")
    assert steps('RUN ["npm", "ci"]')[0].argv == ("npm", "ci")
    assert steps("RUN <<EOF", "a", "b", "EOF")[0].argv == ("/bin/sh", "-c", "a\nb")


def test_arguments_of_the_machine_are_there_for_who_declares_them():
    (run,) = steps("ARG TARGETOS", "RUN a")
    assert run.environment["TARGETOS"] == "linux"
    assert "TARGETOS" not in steps("RUN a")[0].environment


def test_copies_have_their_options():
    copied, added = steps(
        "COPY --chown=node:node --chmod=755 --link a b /c/", "ADD x.tar /y", "WORKDIR /"
    )[:2]
    assert replace(copied, written="") == Copy(
        2, "", ("a", "b"), "/c", into=True, owner="node:node", mode="755"
    )
    assert (added.unpacks, added.into) == (True, False)


def test_mounts_of_a_command_are_kept():
    (run,) = steps("RUN --mount=type=cache,target=/root/.npm --mount=type=bind,target=x,source=y a")
    assert run.bound == (Bound("cache", "/root/.npm", name="/root/.npm"), Bound("bind", "/x", "y"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("RUN --mount=type=secret,id=a x", "--mount=type=secret can't be had"),
        ("RUN --network=none x", "--network=none can't be had"),
        ("RUN cat <<EOF > /x\ny\nEOF", "a command can't read a here-document"),
        ("RUN curl -fsSL https://deb.nodesource.com/setup_20.x | bash -", "Debian's own sources"),
        ("COPY <<EOF /x\ny\nEOF", "here-documents can't be copied"),
        ("COPY --parents a /x", "--parents can't be had"),
        ("COPY --from=ruby:3 a /x", "nothing that stands for ruby:3"),
        ("ADD https://example.com/a /x", "nothing is downloaded by ADD"),
        ("ONBUILD RUN x", "not known"),
    ],
)
def test_what_cant_be_done_is_told_with_its_line(line, why):
    (refusal,) = read("FROM node:20", line).refusals
    assert refusal.startswith(f"line 2: `{line.splitlines()[0][:7]}")
    assert why in refusal


def test_what_cant_be_done_in_a_stage_that_is_not_needed_is_no_trouble():
    assert read("FROM ruby:3 AS old", "ONBUILD RUN x", "FROM node:20").refusals == ()


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("apt-get update && apt install -y --fix-missing curl git=1:2.3", ("curl", "git")),
        ("apk add --no-cache --virtual .deps build-base libc6-compat python3", ("build-essential",
         "python3")),
        ("DEBIAN_FRONTEND=noninteractive apt-get -o A=b install -y tini > /dev/null", ("tini",)),
        ("apk upgrade && apt-get clean && npm install x", ()),
    ],
)  # fmt: skip
def test_the_packages_of_a_command_have_debians_names(text, packages):
    assert packages_of(text) == packages


def test_a_service_of_another_language_is_built_and_runs_as_its_image_says(planning):
    service = planning.private(planning.built(NODE, files=["package.json"]))
    assert (service.runtime.kind, service.runtime.project) == ("build", planning.root / "app")
    assert service.argv == ("docker-entrypoint.sh", "npm", "start")
    assert service.environment["PATH"] == SYSTEM_PATH
    assert (service.world.working_dir, service.world.layers) == ("/app", ())
    assert [endpoint.target for endpoint in service.endpoints] == [3000]


def test_a_front_end_is_built_and_served(planning):
    text = "FROM node:20 AS b\nRUN npm run build\nFROM nginx:1.25\nCOPY --from=b /dist /site"
    service = planning.private(planning.built(text))
    assert (service.runtime.kind, service.argv[0]) == ("build", "/docker-entrypoint.sh")
    assert [endpoint.target for endpoint in service.endpoints] == [80]
    of_another_user = text.replace("nginx:1.25", "nginxinc/nginx-unprivileged")
    service = planning.private(planning.built(of_another_user))
    assert (service.world.user.uid, service.endpoints[0].target) == (101, 8080)


def test_what_only_copies_into_nginx_is_laid_over_it(planning):
    text = "FROM nginx:1.27\nCOPY site.conf /etc/nginx/conf.d/"
    service = planning.private(planning.built(text, files=["site.conf"]))
    assert service.runtime.kind == "image"


def test_a_python_service_keeps_its_virtualenv(planning):
    for text in ("FROM python:3.12\nCMD a", "FROM debian\nRUN pip install x\nCMD a",
                 "FROM ubuntu\nCMD python3 a.py", "FROM company/base\nCMD a"):  # fmt: skip
        assert planning.private(planning.built(text)).runtime.kind == "project", text
    told = replace(planning.built(NODE), extension={"command": ["a"]})
    assert planning.private(told).runtime.kind == "project"


FRONT_END = (
    "FROM node:20 AS front\nRUN apk add git && npm run build\nFROM python:3.12 AS base\n"
    "RUN apt-get install x\nFROM base\nCOPY . /app\nCOPY --from=front /dist /app/static\nCMD a"
)


def test_a_python_service_gets_what_it_copies_from_stages_of_other_languages(planning):
    app = planning.built(FRONT_END)
    plan = planning.plan(app, world="private")
    runtime = plan.service("app").runtime
    assert runtime.kind == "project"
    *_, together = runtime.recipe.stages
    assert [stage.name for stage in runtime.recipe.stages] == ["front", together.name]
    assert [(step.sources, step.target) for step in together.steps] == [(("dist",), "/app/static")]
    (told,) = [notice for notice in plan.notices if "not done here" in notice]
    assert "system packages x " in told
    assert "npm" not in told
    host = planning.plan(app, world="host").notices
    assert any("takes a private world" in notice for notice in host)


def test_a_stage_that_cant_be_built_leaves_a_python_service_as_it_is(planning):
    app = planning.built(FRONT_END.replace("npm run build", "x\nONBUILD RUN y"))
    assert planning.private(app).runtime.recipe is None


def test_all_that_cant_be_built_is_told_at_once_with_ways_out(planning):
    one = planning.built("FROM ruby:3\nCMD a", name="one")
    two = planning.built("FROM node:20\nADD git@x:y.git /z\nONBUILD RUN q\nCMD a", name="two")
    first = "can't build one, two: .* line 1: `FROM ruby:3`.*, and 2 more"
    with pytest.raises(ConfigError, match=first) as refused:
        planning.plan(one, two, world="private")
    told = str(refused.value)
    for part in ("line 1: `FROM ruby:3`", "line 2: `ADD git@x:y.git", "line 3: `ONBUILD",
                 "services: {exclude: [...]}", "--engine compose"):  # fmt: skip
        assert part in told


def test_what_is_built_here_needs_a_private_world(planning):
    with pytest.raises(ConfigError, match="app can run in a private world alone"):
        planning.plan(planning.built(NODE), world="host")


PIECES = [
    *("FROM node:20 AS a\n", "FROM a\n", "RUN ", "COPY ", "ADD ", "--from=a ", "--mount=type="),
    *("cache,target=/x ", "<<EOF\n", "EOF\n", "apk add ", "WORKDIR ", "\n", "'", '"', "$", "\\"),
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=25).map("".join))
def test_any_text_can_be_read(text):
    found = read(text)
    names = [stage.name for stage in found.recipe.stages]
    for number, stage in enumerate(found.recipe.stages):
        assert set(stage.needs()) <= set(names[:number])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("docker-php-ext-install -j$(nproc) pdo pdo_mysql && rm -r /tmp/x", {"pdo", "pdo_mysql"}),
        ("pecl install redis-6.0.2 \\\n && docker-php-ext-enable redis", {"redis"}),
        ("apt-get install php", set()),
    ],
)
def test_extensions_of_php_are_those_that_a_step_installs(text, names):
    assert extensions_in(text) == names


def test_php_runs_as_a_command_or_with_fpm():
    command, fpm = base_of("php:8.2-cli-alpine"), base_of("php:8.2-fpm")
    assert (command.version, command.command) == ("8.2", ("php", "-a"))
    assert (fpm.command, fpm.workdir) == (("php-fpm",), "/var/www/html")


@pytest.mark.parametrize(
    ("written", "started"),
    [
        ('["/code/bin/backend", "-v"]', ("/code/bin/backend", "-v")),
        ('["/usr/local/bin/backend"]', ("backend",)),
        ('["tini", "--", "backend"]', ("backend",)),
    ],
)
def test_what_a_build_has_made_is_started_from_where_it_lies(planning, written, started):
    service = planning.built(f"FROM golang:1.22\nRUN go build\nCMD {written}", name="backend")
    assert planning.private(service).argv == started


def test_each_node_without_a_wheel_gets_the_npm_that_goes_with_it():
    assert {str(major) for major in range(14, 26)} - OF_WHEELS <= set(NPM_OF)
