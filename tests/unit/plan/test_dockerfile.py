"""A Dockerfile tells what would run, where, in what environment, and which files are where."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.errors import ConfigError
from stackproof.plan.services.built_stage import Copied, Image
from stackproof.plan.services.dockerfile import MOST_BROUGHT, read_dockerfile
from stackproof.plan.services.image_defaults import read_healthcheck
from stackproof.stack_file.model import Healthcheck


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
        Copied(".", "/app", into=True, owner="app:app"),
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


@pytest.mark.parametrize(("lines", "target", "into"), [
    (("WORKDIR /code",), "/code", True),
    (("WORKDIR /usr/src/app",), "/usr/src", True),
    (("WORKDIR /code", "WORKDIR app"), "/code", True),
    (("COPY . /code",), "/code", True),
    (("COPY a b /code/",), "/code", True),
    ((), "/usr/local/bin", True),
    ((), "/code", False),
    (("WORKDIR /code",), "/code/settings", False),
])  # fmt: skip
def test_a_file_lands_in_a_folder_that_is_there(lines, target, into):
    image = read("FROM x", *lines, f"COPY requirements.txt {target}")
    assert image.copied[-1] == Copied("requirements.txt", target, into)
    later = read("FROM x AS base", *lines, "FROM base", f"COPY requirements.txt {target}")
    assert later.copied[-1].into is into


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
    assert read("FROM x", "NONSENSE here", "_keep", "copy") == Image(base="x")


def test_a_health_check_has_times_and_a_command_in_either_form():
    image = read(
        *("FROM x", "HEALTHCHECK --interval=5s --timeout=1m30s --start-period=500ms \\"),
        *("  --start-interval=0s --retries=4 \\", "  CMD curl -f http://localhost:$PORT || exit 1"),
    )
    test = ("CMD-SHELL", "curl -f http://localhost:$PORT || exit 1")
    assert image.healthcheck == Healthcheck(test, 5.0, 90.0, 4, 0.5)
    assert read("FROM x", 'HEALTHCHECK cmd ["a", "b c"]').healthcheck == Healthcheck(
        ("CMD", "a", "b c")
    )


def test_a_later_stage_has_the_health_check_and_the_stop_signal_of_an_earlier_one():
    base = ("FROM x AS base", "HEALTHCHECK CMD true", "ARG S=QUIT", "STOPSIGNAL SIG$S")
    image = read(*base, "FROM base", "USER app")
    assert (image.healthcheck, image.stop_signal) == (Healthcheck(("CMD-SHELL", "true")), "SIGQUIT")
    assert read(*base, "FROM base", "HEALTHCHECK NONE").healthcheck is None
    assert read(*base, "FROM y") == Image(base="y")


@pytest.mark.parametrize(
    ("written", "what", "remedy"),
    [
        ("--interval=5 CMD true", "--interval=5 of HEALTHCHECK: '5' is not a duration", "500ms"),
        ("--retries=-1 CMD true", "--retries=-1 of HEALTHCHECK: '-1' is no whole number", "like 3"),
        ("--every=5s CMD true", "HEALTHCHECK has no option --every=5s", "--start-period"),
        ("CMD", "HEALTHCHECK has no command", "HEALTHCHECK NONE"),
        ("CMD []", "HEALTHCHECK has no command", "HEALTHCHECK NONE"),
        ("curl -f localhost", "HEALTHCHECK has no command", "HEALTHCHECK NONE"),
        ("NONE at all", "HEALTHCHECK has no command", "HEALTHCHECK NONE"),
    ],
)
def test_a_health_check_that_docker_refuses_is_refused_with_its_line(written, what, remedy):
    with pytest.raises(ConfigError) as caught:
        read("FROM x", f"HEALTHCHECK {written}")
    assert caught.value.what == what
    assert caught.value.observed == f"line 2: `HEALTHCHECK {written}`"
    assert remedy in caught.value.remedy


@given(st.text())
def test_no_health_check_is_anything_but_read_or_refused(text):
    with suppress(ConfigError):
        read_healthcheck(text, 1)


@pytest.mark.parametrize("text", ["", "FROM", "CMD", "ENV", "COPY a", "EXPOSE x", "ENV 'a"])
def test_half_an_instruction_is_no_error(text):
    read_dockerfile(text)


PIECES = ["FROM ", "ARG ", "ENV ", "COPY ", "CMD ", "EXPOSE ", "\\", "${", "}", "$", "=", "'", '"']


@given(st.lists(st.sampled_from([*PIECES, "[", "]", ",", "<<", "a", "\n"])))
def test_no_text_is_an_error(words):
    read_dockerfile("".join(words))


def test_the_user_of_the_last_stage_counts_and_each_command_has_its_own():
    image = read("FROM a", "RUN one", "USER app:web", "RUN two")
    assert image.user == "app:web"
    assert [run.user for run in image.runs] == ["", "app:web"]


def test_a_stage_inherits_user_and_files_from_the_one_below():
    image = read("FROM a AS base", "COPY x /x", "USER app", "FROM base", "COPY y /y")
    assert image.user == "app"
    assert [copied.target for copied in image.brought] == ["/x", "/y"]


def test_what_another_stage_brought_is_followed_to_the_build_context():
    image = read(
        "FROM a AS one", "COPY web /src", "FROM a AS two", "COPY --from=one /src /built",
        "FROM a", "COPY --from=two --chown=app /built/dist /app",
    )  # fmt: skip
    assert image.copied == ()
    assert image.brought == (Copied("web/dist", "/app", into=False, owner="app"),)


def test_stages_that_copy_each_other_many_times_are_followed_within_a_bound():
    stages = [f"FROM a AS s{number}\n" + f"COPY --from=s{number - 1} / /\n" * 3
              for number in range(1, 40)]  # fmt: skip
    assert len(read("FROM a AS s0", "COPY . /", *stages).brought) <= MOST_BROUGHT
