"""A service that is no Python program is built from its Dockerfile, without Docker and images."""

import textwrap

import pytest

from .small_project import SmallProject

FILES = {
    "config/shop.yaml": "stack: shop\nproject: shop-e2e\ncompose_files: [../compose.yaml]\n"
    "world: private\n",
    "compose.yaml": """\
        services:
          app:
            build: {context: ., args: {GREETING: hello}}
            volumes: ["kept:/srv/parts"]
        volumes: {kept: {}}
        """,
    "Dockerfile": """\
        FROM debian:12-slim AS build
        ARG GREETING=none
        WORKDIR /src
        COPY parts/ parts/
        RUN useradd -u 1500 app && apt-get install -y sed \\
            && cat parts/* > whole.txt && echo "$GREETING" >> whole.txt \\
            && rm parts/b && chown -R app . && ln -s whole.txt link
        RUN echo made > /usr/local/share/made && id -u > ran-as

        FROM alpine
        RUN adduser -D -u 1500 app
        WORKDIR /srv
        COPY --from=build --chown=app /src .
        COPY --from=build /usr/local/share/made /usr/local/share/
        COPY run.sh /usr/local/bin/run
        USER app
        CMD ["run"]
        """,
    "parts/a": "first\n",
    "parts/b": "second\n",
    "parts/.hidden": "",
    ".dockerignore": "parts/.*\n",
    "run.sh": "#!/bin/sh\nexec sleep 600\n",
    "tasks.py": "from stackproof.tasks import namespace\nns = namespace()\n",
}

LOOK = (
    "cat whole.txt /usr/local/share/made ran-as; ls -A parts; readlink link; id -un; "
    "stat -c %u whole.txt; ls /usr/local/bin/run /src /run/stackproof 2>&1; true"
)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "shop"
    made = SmallProject(folder, tmp_path, {n: textwrap.dedent(t) for n, t in FILES.items()})
    (folder / "run.sh").chmod(0o755)
    yield made
    made.end()


def test_stages_are_built_once_and_again_where_they_have_changed(project):
    steps = [line for line in project.invoke("up").splitlines() if line.startswith("preparing: ")]
    assert [line.partition(", ")[2].split()[0] for line in steps] == [
        *("COPY", "RUN", "RUN", "RUN", "COPY", "COPY", "COPY"),
    ]
    seen = project.invoke("exec", "app", "--", "sh", "-c", LOOK).splitlines()
    assert seen[:5] == ["first", "second", "hello", "made", "0"]
    assert seen[5:9] == ["a", "whole.txt", "app", "1500"]
    assert "/usr/local/bin/run" in seen
    assert sum("No such file" in line for line in seen) == 2  # no stage, nothing of the build

    project.write("run.sh", "#!/bin/sh\nexec sleep 700\n")
    (project.folder / "run.sh").chmod(0o755)
    told = project.invoke("up", "--fresh")
    assert "preparing: app, COPY run.sh /usr/local/bin/run" in told
    assert "RUN" not in told

    project.write("Dockerfile", "FROM debian\nRUN echo before && cat /missing\nCMD a\n")
    told = project.invoke("up", "--fresh", code=1)
    assert "line 2 of " in told
    assert "`RUN echo before && cat /missing`, failed with status 1" in told
    assert "/missing: No such file or directory" in told
    left = [path.name for path in (project.folder.parent / "cache/builds").iterdir()]
    assert not [name for name in left if name.startswith(".new-")]
