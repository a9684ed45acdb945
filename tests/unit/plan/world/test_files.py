"""The files that a service sees in a private world, each where its container would have it."""

import tarfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stackproof.engines.process.world.contents import changed_mode
from stackproof.plan.services.built_stage import Copied
from stackproof.plan.services.dockerfile import read_dockerfile
from stackproof.plan.world.accounts import accounts_of
from stackproof.plan.world.copied import copied_layers
from stackproof.plan.world.made_folders import made_folders
from stackproof.plan.world.model import Change
from stackproof.stack_file.model import Mount

RUN = Path("/run/shop-e2e")


@pytest.fixture
def layers(planning):
    """The layers of a service by target: the path below its build context, or the source."""

    def found(dockerfile, files=(), **values):
        app = planning.built("FROM python\n" + dockerfile + "\nCMD serve", files=files, **values)
        world = planning.private(app).world
        context = planning.root / "app"
        return {
            layer.target: str(layer.source.relative_to(context))
            if layer.source and layer.source.is_relative_to(context)
            else layer.source
            for layer in world.layers
        }

    return found


def layer(planning, service, target):
    found = planning.private(service).world.layers
    return next(layer for layer in found if layer.target == target)


# COPY and ADD


def test_what_is_copied_lies_over_the_build_context(layers):
    found = layers(
        "WORKDIR /app\nCOPY requirements.txt .\nCOPY . .", ["requirements.txt", "a/b.py"]
    )
    assert found == {"/app": "."}


def test_a_file_has_its_own_name_in_a_folder_and_another_where_one_is_named(layers):
    found = layers("COPY a.py /app/\nCOPY a.py /app/b.py", ["a.py"])
    assert found == {"/app/a.py": "a.py", "/app/b.py": "a.py"}


@pytest.mark.parametrize(
    ("dockerfile", "changes"),
    [
        ("COPY . /app\nRUN chmod +x /app/run.sh", [Change("run.sh", "+x")]),
        ("WORKDIR /app\nCOPY . .\nRUN chmod 755 *.sh", [Change("run.sh", "755")]),
        ("COPY --chmod=750 . /app", [Change(".", "750", deep=True)]),
        ("COPY . /app\nRUN useradd -u 1500 app && chown -R app:app /app",
         [Change(".", "", (1500, 1500), deep=True)]),
        ("COPY . /srv/app\nRUN useradd -u 1500 app && chown --recursive app /srv",
         [Change(".", "", (1500, -1), deep=True)]),
        ("RUN mkdir /app && chmod -R 700 /app\nCOPY . /app", []),
        ("COPY . /app\nRUN chmod +x missing.sh $SCRIPT && chmod nonsense /app/run.sh", []),
    ],
    ids=["one file", "a wildcard", "--chmod", "a whole folder", "a folder above", "later",
         "not there"],
)  # fmt: skip
def test_modes_and_owners_that_run_gives_to_what_was_copied_are_kept(planning, dockerfile, changes):
    app = planning.built(f"FROM python\n{dockerfile}\nCMD serve", files=["run.sh"])
    found = planning.private(app).world.layers
    assert [one for layer in found for one in layer.changes] == changes


@pytest.mark.parametrize(
    ("old", "written", "new"),
    [
        (0o100644, "+x", 0o755),
        (0o100644, "u+x", 0o744),
        (0o100644, "600", 0o600),
        (0o100755, "go-rx", 0o700),
        (0o100640, "a=r", 0o444),
        (0o100640, "u=rwX,go=rX", 0o644),
        (0o040700, "u=rwX,go=rX", 0o755),
    ],
)
def test_a_mode_is_changed_as_chmod_does(old, written, new):
    assert changed_mode(old, written) == new


def test_an_archive_is_unpacked_by_add_and_kept_by_copy(planning):
    app = planning.built("FROM p\nADD a.tar b.txt /x/\nCOPY a.tar /y/\nCMD x", files=["b.txt"])
    with tarfile.open(planning.root / "app" / "a.tar", "w") as archive:
        archive.add(planning.root / "app" / "b.txt", "b.txt")
    found = planning.private(app).world.layers
    told = {one.target: (one.source.name, one.unpacks) for one in found if one.source}
    assert told == {
        "/x": ("a.tar", True), "/x/b.txt": ("b.txt", False), "/y/a.tar": ("a.tar", False),
    }  # fmt: skip


def test_folders_of_one_target_are_one_folder_the_later_above(planning):
    app = planning.built("FROM p\nCOPY one /app\nCOPY two /app\nCMD x", files=["one/a", "two/b"])
    found = planning.private(app).world.layers
    assert [layer.source.name for layer in found if layer.target == "/app"] == ["one", "two"]


def test_what_is_copied_below_is_joined_with_what_lies_there_already(planning):
    app = planning.built("FROM p\nCOPY lib /app/src\nCOPY . /app\nCMD x", files=["lib/a", "src/b"])
    found = planning.private(app).world.layers
    context = planning.root / "app"
    assert [(layer.target, layer.source) for layer in found] == [
        ("/app", context),
        ("/app/src", context / "lib"),
        ("/app/src", context / "src"),
    ]


def test_a_later_file_wins_over_the_folder_and_an_earlier_one_is_covered(layers):
    files = ["a.txt", "b.txt", "other.txt"]
    assert layers("COPY other.txt /app/a.txt\nCOPY . /app", files) == {"/app": "."}
    found = layers("COPY . /app\nCOPY other.txt /app/a.txt", files)
    assert found == {"/app": ".", "/app/a.txt": "other.txt"}


def test_patterns_are_followed(layers):
    found = layers("COPY package*.json /app/", ["package.json", "package-lock.json", "x"])
    assert set(found) == {"/app/package.json", "/app/package-lock.json"}


def test_folders_of_the_system_are_added_to_and_never_covered(layers):
    found = layers(
        "COPY root /\nCOPY x /usr/local/bin/x", ["root/etc/nginx/a.conf", "root/srv/b", "x"]
    )
    assert found == {
        "/etc/nginx": "root/etc/nginx",
        "/srv": "root/srv",
        "/usr/local/bin/x": "x",
    }


def test_what_is_missing_or_outside_the_context_is_left_out(layers, planning):
    (planning.root / "secret").write_text("")
    found = layers("COPY missing /a\nCOPY ../secret /b\nCOPY link /c\nADD http://x/y /d", ["z"])
    assert found == {}


def test_what_the_builder_does_not_get_is_hidden(planning):
    app = planning.built("FROM p\nWORKDIR /app\nCOPY . .\nCOPY .env /x\nCMD x",
                         files=["a.py", ".env", "cache/x", "src/.env", "src/b"])  # fmt: skip
    (app.build.context / ".dockerignore").write_text("**/.env\ncache\n.dockerignore\n")
    found = planning.private(app).world.layers
    assert [(layer.target, layer.hidden) for layer in found] == [
        ("/app", (".dockerignore", ".env", "cache", "src/.env"))
    ]


def test_files_of_another_stage_are_found_in_the_context(layers):
    found = layers("COPY web /src\nFROM python\nCOPY --from=0 /src/dist /app", ["web/dist/a"])
    assert found == {"/app": "web/dist"}


def test_an_owner_of_copied_files_is_known(planning):
    app = planning.built(
        "FROM p\nRUN useradd -u 1500 app\nCOPY --chown=app . /app\nCMD x", files=["a"]
    )
    assert layer(planning, app, "/app").owner == (1500, 1500)


@settings(max_examples=40)
@given(
    st.lists(
        st.builds(
            Copied,
            st.sampled_from([".", "a", "a/b", "*", "a/*", "..", "x", "\0", "a/f"]),
            st.sampled_from(["/", "/app", "/app/b", "/usr", "/etc/x", "/app/b/f"]),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_every_file_is_seen_where_it_was_copied_last(tmp_path_factory, copied):
    context = tmp_path_factory.getbasetemp() / "context"
    (context / "a" / "b").mkdir(parents=True, exist_ok=True)
    for file in ("a/f", "a/b/f", "g"):
        (context / file).write_text(file)
    expected = {}
    copied = [replace(item, into=True) if "*" in item.source else item for item in copied]
    for item in copied:
        for source in (
            sorted(context.glob(item.source)) if "*" in item.source else [context / item.source]
        ):
            _copy(expected, context, source, item)
    folders = {str(parent) for path in expected for parent in PurePosixPath(path).parents}
    assume(folders.isdisjoint(expected))  # Docker lays no folder over a file
    found = copied_layers(context, copied, lambda _: (0, 0))
    assert _seen(found) == expected


def _copy(expected, context, source, item):
    if "\0" in item.source or ".." in item.source or not source.exists():
        return
    if source.is_file():
        target = f"{item.target.rstrip('/')}/{source.name}" if item.into else item.target
        expected[target] = source
        return
    for file in (path for path in source.rglob("*") if path.is_file()):
        expected[f"{item.target.rstrip('/')}/{file.relative_to(source)}"] = file


def _seen(layers):
    """The files of a mount table: each layer hides what lies below its target."""
    found, shown = {}, set()
    for layer in layers:
        if layer.target not in shown:
            shown.add(layer.target)
            inside = layer.target + "/"
            found = {path: file for path, file in found.items()
                     if path != layer.target and not path.startswith(inside)}  # fmt: skip
        if layer.source.is_file():
            found[layer.target] = layer.source
        for file in (path for path in layer.source.rglob("*") if path.is_file()):
            found[f"{layer.target}/{file.relative_to(layer.source)}"] = file
    return found


# Folders that RUN makes


def made(*lines):
    image = read_dockerfile("\n".join(["FROM p", *lines]))
    found = made_folders(image, accounts_of(image))
    return {path: found.owner_of(path) for path in found.made}


def test_folders_that_run_makes_have_the_owner_that_it_gives():
    found = made(
        "RUN useradd -u 1500 app && mkdir -p /data/a /data /cache && chown -R app:app /data",
        "RUN install -d -m 700 -o app /keys && mkdir /data/x",
        "WORKDIR /srv/app",
        "USER app",
        "RUN mkdir logs",
    )
    assert found == {
        "/data/a": (1500, 1500),
        "/data": (1500, 1500),
        "/cache": (0, 0),
        "/keys": (1500, 1500),
        "/data/x": (0, 0),
        "/srv/app/logs": (1500, 1500),
        "/srv/app": (0, 0),
    }


def test_a_folder_that_cant_be_read_for_certain_is_not_made():
    assert made("RUN mkdir $DATA /x/*.d '/a b'") == {"/a b": (0, 0)}


@given(st.lists(st.sampled_from("mkdir chown install -d -o -R app /x /y/z && ; ' $X ..".split())))
def test_any_text_makes_absolute_folders(words):
    assert all(path.startswith("/") for path in made("RUN " + " ".join(words)))


def test_made_folders_are_empty_ones_unless_something_lies_there(layers):
    found = layers("WORKDIR /app\nRUN mkdir /data /app/b\nCOPY . /app", ["b/x"])
    assert found == {"/app": ".", "/data": None}


# Mounts


def test_a_volume_belongs_to_whom_the_image_gave_its_place(planning):
    app = planning.built(
        "FROM p\nRUN useradd -u 1500 app && mkdir /data && chown app /data\nCMD x",
        mounts=(Mount("volume", "/data", "data"), Mount("volume", "/other", "other")),
    )
    data, other = layer(planning, app, "/data"), layer(planning, app, "/other")
    assert (data.source, data.kind, data.owner) == (RUN / "data" / "data", "bind", (1500, 0))
    assert other.owner == (0, 0)


def test_a_new_volume_is_filled_from_the_image_and_a_bind_or_nocopy_is_not(planning):
    app = planning.built(
        "FROM p\nCMD x",
        mounts=(
            Mount("volume", "/data", "data"), Mount("volume", "/anonymous"),
            Mount("volume", "/empty", "empty", nocopy=True),
            Mount("bind", "/bind", str(planning.root / "app")),
        ),
    )  # fmt: skip
    found = planning.private(app).world.layers
    assert {one.target for one in found if one.fill} == {"/data", "/anonymous"}


def test_mounts_lie_above_the_image_outer_ones_first(planning):
    app = planning.built(
        "FROM p\nWORKDIR /app\nCOPY . .\nCMD x",
        mounts=(
            Mount("volume", "/app/node_modules"),
            Mount("bind", "/app", str(planning.root / "app")),
        ),
    )
    found = [(layer.target, layer.kind) for layer in planning.private(app).world.layers]
    assert found == [("/app", "overlay"), ("/app", "bind"), ("/app/node_modules", "bind")]


def test_what_is_mounted_read_only_cant_be_written_to(planning):
    (planning.root / "c.conf").write_text("")
    app = planning.native(
        "app",
        mounts=(
            Mount("bind", "/c.conf", str(planning.root / "c.conf"), read_only=True),
            Mount("volume", "/v", "v", read_only=True),
            Mount("volume", "/w", "w"),
        ),
    )
    found = {layer.target: layer.read_only for layer in planning.private(app).world.layers}
    assert (found["/c.conf"], found["/v"], found["/w"]) == (True, True, False)


def test_memory_is_mounted_with_its_size_and_takes_no_folder_of_the_run(planning):
    app = planning.native(
        "app",
        tmpfs=("/cache:size=10m,uid=5,gid=6", "/run"),
        mounts=(Mount("tmpfs", "/long", size=4096),),
    )
    service = planning.private(app)
    found = {layer.target: (layer.kind, layer.size, layer.owner) for layer in service.world.layers}
    assert found["/cache"] == ("tmpfs", "10m", (5, 6))
    assert found["/run"] == ("tmpfs", "", (0, 0))
    assert found["/long"] == ("tmpfs", "4096", (0, 0))
    assert service.folders == {}
    assert service.sizes == {}


def test_a_project_without_a_dockerfile_stays_where_it_is(planning):
    service = planning.private(planning.native("app"))
    assert [layer.target for layer in service.world.layers] == [str(planning.root)]
    assert service.world.working_dir == str(planning.root)


def test_paths_of_this_machine_are_found_again_inside(planning):
    app = planning.built("FROM p\nWORKDIR /app\nCOPY src lib\nCMD x", files=["src/a/b.py"])
    world, context = planning.private(app).world, planning.root / "app"
    assert world.seen_at(context / "src" / "a") == "/app/lib/a"
    assert world.seen_at(context / "other") is None
    assert world.source_of("/app/lib/a/b.py") == context / "src" / "a" / "b.py"
    assert world.source_of("/app/lib/none") is None
