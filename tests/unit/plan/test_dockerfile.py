"""A Dockerfile tells what would run, where, in what environment, and which files are where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.plan.services.dockerfile import Copied, Image, read_dockerfile


def read(*lines, **options):
    return read_dockerfile("\n".join(lines), **options)


def test_a_usual_dockerfile():
    image = read(
        "# syntax=docker/dockerfile:1",
        "FROM python:3.12-slim AS base",
        "WORKDIR /app",
        "ENV A=1 \\",
        "    # a comment inside",
        '    B="two words"',
        "COPY requirements.txt .",
        "RUN pip install -r requirements.txt",
        "COPY --chown=app:app . .",
        "EXPOSE 8000 9000/udp 9100/tcp",
        'CMD ["uvicorn", "app:app"]',
    )
    assert image.workdir == "/app"
    assert image.environment == {"A": "1", "B": "two words"}
    assert image.ports == (8000, 9100)
    assert image.argv == ("uvicorn", "app:app")
    assert image.copied == (
        Copied("requirements.txt", "/app", into=True),
        Copied(".", "/app", into=True),
    )
    assert image.base == "python:3.12-slim"


def test_the_shell_form_runs_a_shell():
    assert read("FROM x", "CMD serve --port $PORT").argv == ("/bin/sh", "-c", "serve --port $PORT")


def test_entrypoint_and_command_are_joined():
    assert read("FROM x", 'ENTRYPOINT ["a"]', 'CMD ["b"]').argv == ("a", "b")
    assert read("FROM x", 'CMD ["b"]', 'ENTRYPOINT ["a"]').argv == ("a", "b")


def test_an_entrypoint_takes_an_inherited_command_away():
    image = read("FROM x AS one", 'CMD ["b"]', "FROM one", 'ENTRYPOINT ["a"]')
    assert image.argv == ("a",)


def test_only_the_last_stage_counts_with_what_it_inherits():
    image = read(
        *("FROM x AS build", "ENV SECRET=1", "EXPOSE 1"),
        *("FROM y AS base", "WORKDIR /srv", "ENV A=1"),
        *("FROM base", "WORKDIR app", "COPY --from=build /x /y", "COPY a b /z/"),
    )
    assert (image.workdir, image.environment, image.ports) == ("/srv/app", {"A": "1"}, ())
    assert [one.target for one in image.copied] == ["/z", "/z"]


def test_a_target_is_one_of_the_stages():
    lines = ("FROM x AS dev", 'CMD ["dev"]', "FROM x AS prod", 'CMD ["prod"]')
    assert read(*lines, target="dev").argv == ("dev",)
    assert read(*lines, target="DEV").argv == ("dev",)
    assert read(*lines).argv == ("prod",)


def test_arguments_are_filled_in():
    lines = (
        *("ARG VERSION=3.11", "FROM python:${VERSION}-slim", "ARG PORT=8000", "ARG VERSION"),
        *("ENV P=$PORT V=${VERSION:-none} N=${NOTHING:-none} M=${PORT:+set}", "EXPOSE $PORT"),
    )
    image = read(*lines)
    assert image.base == "python:3.11-slim"
    assert image.environment == {"P": "8000", "V": "3.11", "N": "none", "M": "set"}
    assert image.ports == (8000,)
    assert read(*lines, arguments={"PORT": "9000", "VERSION": "3.13"}).ports == (9000,)
    assert read(*lines, arguments={"VERSION": "3.13"}).base == "python:3.13-slim"


def test_the_old_form_of_env_takes_the_rest_of_the_line():
    assert read("FROM x", "ENV NAME some text here").environment == {"NAME": "some text here"}


def test_here_documents_are_skipped():
    image = read("FROM x", "RUN <<EOF", 'CMD ["wrong"]', "EOF", 'CMD ["right"]')
    assert image.argv == ("right",)


def test_what_is_not_understood_is_ignored():
    assert read("FROM x", "HEALTHCHECK NONE", "NONSENSE here", "_keep", "copy") == Image(base="x")


@pytest.mark.parametrize("text", ["", "FROM", "CMD", "ENV", "COPY a", "EXPOSE x", "ENV 'a"])
def test_half_an_instruction_is_no_error(text):
    read_dockerfile(text)


PIECES = ["FROM ", "ARG ", "ENV ", "COPY ", "CMD ", "EXPOSE ", "\\", "${", "}", "$", "=", "'", '"']


@given(st.lists(st.sampled_from([*PIECES, "[", "]", ",", "<<", "a", "\n"])))
def test_no_text_is_an_error(words):
    read_dockerfile("".join(words))
