"""What becomes of a mount: a table of cases, the same for both engines."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stackproof.errors import ConfigError
from stackproof.plan.mounts.data_paths import data_paths
from stackproof.plan.mounts.deciding import Project, decide_mounts
from stackproof.plan.mounts.settling import unlike_copies
from stackproof.plan.mounts.sources import look_at
from stackproof.settings.model import Origin, Settings
from stackproof.stack_file.model import Mount, NamedVolume, Service, StackFile
from stackproof.stack_file.reading.nodes import Location

ROOT = Path("/home/ann/shop")
PLACE = Origin("config/shop.yaml", 3)
POSTGRES = "/var/lib/postgresql/data"
THERE = {
    "/home/ann/shop/pgdata": "folder",
    "/home/ann/shop/uploads": "folder",
    "/home/ann/shop/uploads/thumbs": "folder",
    "/home/ann/shop/one.conf": "file",
    "/home/ann/shop/app.sock": "special",
    "/srv/media": "folder",
    "/var/run/docker.sock": "special",
    "/var/run": "special",
    "/dev/kvm": "special",
    "/proc": "special",
    "/": "special",
}
BOTH = ("compose", "process")


def look(path):
    return THERE.get(path, "missing")


def settings_of(root, mounts):
    return Settings(
        root=root, stack="shop", config_file=root / "shop.yaml", compose_files=(), project="shop",
        engine="process", cache=root, artifacts=root, mounts=mounts, origins={("mounts",): PLACE},
    )  # fmt: skip


def decide(*services, engine="compose", settings=None, volumes=None, own=()):
    stack_file = StackFile(
        (ROOT / "compose.yaml",),
        ROOT,
        {one.name: one for one in services},
        volumes=volumes or {},
    )
    servers = {
        one.name: data_paths([one.image or ""], one.environment, one.command or ())
        for one in services
    }
    project = Project(settings_of(ROOT, settings or {}), engine, frozenset(own), look)
    return decide_mounts(stack_file, servers, project)


def bind(source, target, **more):
    absolute = str(ROOT / source) if source.startswith("./") else source
    where = Location(ROOT / "compose.yaml", 7)
    return Mount("bind", target, absolute, written=source, where=where, **more)


def service(*mounts, image="example.org/app", name="app", **more):
    return Service(name, image=image, mounts=mounts, **more)


def action(mount, *, image="example.org/app", engine="compose", **more):
    """What becomes of the only mount: its action and fallback, or `refused`, or None."""
    try:
        found = decide(service(mount, image=image), engine=engine, **more)["app"]
    except ConfigError:
        return "refused"
    if not found:
        return None
    (one,) = found
    return f"{one.action} else {one.otherwise}" if one.action == "copy" else one.action


VOLUMES = {
    "own": NamedVolume(),
    "renamed": NamedVolume(name="fixed"),
    "memory": NamedVolume(driver="local", options={"type": "tmpfs", "device": "tmpfs"}),
    "theirs": NamedVolume(external=True, name="dev_pg"),
    "bound": NamedVolume(options={"type": "none", "o": "bind", "device": "/srv/media"}),
    "bound_here": NamedVolume(options={"type": "none", "o": "bind", "device": "./pgdata"}),
    "bound_ro": NamedVolume(options={"type": "none", "o": "bind,ro", "device": "/srv/media"}),
    "nfs": NamedVolume(options={"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/data"}),
    "plugin": NamedVolume(driver="rexray"),
}


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize(
    ("image", "target"),
    [
        ("postgres:16", POSTGRES),
        ("postgres:16", "/var/lib/postgresql"),
        ("postgres:16", "/var/lib"),
        ("postgres:18", "/var/lib/postgresql/18/docker"),
        ("mirror.example:5000/library/postgres@sha256:1", POSTGRES),
        ("pgvector/pgvector:pg16", POSTGRES),
        ("timescale/timescaledb-ha:pg16", "/home/postgres/pgdata/data"),
        ("postgis/postgis:16-3.4", POSTGRES),
        ("bitnami/postgresql:16", "/bitnami/postgresql"),
        ("ann/our-postgres-with-hints", POSTGRES),
        ("mysql:8", "/var/lib/mysql"),
        ("mariadb:11", "/var/lib/mysql"),
        ("mongo:7", "/data/db"),
        ("mongo:7", "/data"),
        ("redis:7", "/data"),
        ("redis/redis-stack-server", "/data"),
        ("valkey/valkey:8", "/data"),
        ("rabbitmq:3-management", "/var/lib/rabbitmq"),
        ("docker.elastic.co/elasticsearch/elasticsearch:8.1", "/usr/share/elasticsearch/data"),
        ("opensearchproject/opensearch:2", "/usr/share/opensearch/data"),
        ("confluentinc/cp-kafka:7", "/var/lib/kafka/data"),
        ("clickhouse/clickhouse-server", "/var/lib/clickhouse"),
        ("minio/minio", "/data"),
        ("nats:2", "/data"),
        ("quay.io/coreos/etcd:v3", "/etcd-data"),
        ("cassandra:5", "/var/lib/cassandra"),
        ("example.org/tool", POSTGRES),  # nothing else has such a path
    ],
)
def test_an_empty_place_of_the_run_stands_for_the_data_of_a_server(image, target, engine):
    assert action(bind("./pgdata", target), image=image, engine=engine) == "fresh"
    assert action(bind("/srv/media", target), image=image, engine=engine) == "fresh"
    for name in ("theirs", "bound", "bound_here", "nfs", "plugin"):
        mount = Mount("volume", target, name)
        assert action(mount, image=image, engine=engine, volumes=VOLUMES) == "fresh", name


@pytest.mark.parametrize(
    "more",
    [
        {"environment": {"PGDATA": "/srv/pg/data"}},
        {"environment": {"MYSQL_DATADIR": "/srv/pg"}},
        {"command": ("-c", "data_directory=/srv/pg")},
        {"command": ("postgres", "-D", "/srv/pg")},
        {"command": ("sh", "-c", "exec mongod --dbpath /srv/pg/1")},
        {"command": ("redis-server", "--dir", "/srv/pg")},
        {"command": ("mysqld", "--datadir=/srv/pg")},
    ],
)
def test_the_data_path_is_also_where_environment_and_command_say(more):
    made = decide(service(bind("./pgdata", "/srv/pg"), image="postgres:16", **more))
    assert [one.action for one in made["app"]] == ["fresh"]


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize("name", ["own", "renamed", "memory"])
def test_a_volume_that_the_run_makes_itself_is_its_own(name, engine):
    assert action(Mount("volume", "/x", name), volumes=VOLUMES, engine=engine) is None
    mount = Mount("volume", POSTGRES, name)
    assert action(mount, image="postgres:16", volumes=VOLUMES, engine=engine) is None


@pytest.mark.parametrize("engine", BOTH)
def test_what_can_only_be_read_is_as_it_is(engine):
    for image in ("postgres:16", "example.org/app"):
        mount = bind("./pgdata", POSTGRES, read_only=True)
        assert action(mount, image=image, engine=engine) == "keep"
    mount = Mount("volume", "/x", "bound_ro")
    assert action(mount, volumes=VOLUMES, engine=engine) == "keep"


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize(
    ("mount", "becomes"),
    [
        (bind("./uploads", "/uploads"), "copy else share"),
        (bind("./one.conf", "/etc/one.conf"), "copy else share"),
        (bind("/srv/media", "/media"), "copy else refuse"),
        (bind("/srv/../home/ann/shop/../media", "/media"), "fresh"),  # is not there
        (bind("./nowhere", "/x"), "fresh"),
        (bind("./nowhere", "/x", create_host_path=False), "refused"),
        (bind("/var/run/docker.sock", "/var/run/docker.sock"), "refused"),
        (bind("/var/run/docker.sock", "/var/run/docker.sock", read_only=True), "refused"),
        (bind("/var/run", "/host/run", read_only=True), "refused"),
        (bind("/dev/kvm", "/dev/kvm"), "refused"),
        (bind("/", "/host"), "refused"),
        (bind("/", "/host", read_only=True), "keep"),
        (bind("/proc", "/host/proc", read_only=True), "keep"),
        (bind("./app.sock", "/app.sock"), "share"),
        (Mount("volume", "/media", "bound"), "copy else refuse"),
    ],
)
def test_other_mounts_are_copies_where_they_can_be(mount, becomes, engine):
    assert action(mount, engine=engine, volumes=VOLUMES) == becomes


def test_volumes_that_are_not_the_runs_are_copied_or_refused_where_docker_is():
    found = {name: action(Mount("volume", "/x", name), volumes=VOLUMES) for name in VOLUMES}
    assert found["theirs"] == "copy else refuse"
    assert found["nfs"] == found["plugin"] == "refused"


def test_without_docker_an_empty_folder_stands_for_a_volume_that_only_docker_has():
    for name in ("theirs", "nfs", "plugin"):
        mount = Mount("volume", "/x", name)
        assert action(mount, engine="process", volumes=VOLUMES) == "fresh"


def test_other_files_of_a_server_are_a_copy_or_can_only_be_read():
    sql = bind("./uploads", "/docker-entrypoint-initdb.d")
    conf = bind("./one.conf", "/etc/postgresql.conf")
    among_data = bind("./one.conf", f"{POSTGRES}/postgresql.conf")
    for mount in (sql, conf, among_data):
        assert action(mount, image="postgres:16") == "copy else read_only"
    assert action(conf, image="postgres:16", engine="process") == "copy else refuse"
    assert action(sql, image="postgres:16", engine="process") == "keep"  # stackproof reads it


@pytest.mark.parametrize("image", ["mongo-express", "pgadmin4", "postgres-exporter", "redis-ui"])
def test_an_image_beside_a_server_is_none(image):
    assert data_paths([image], {}, ()) is None


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize("key", ["./uploads", "./uploads/", "/home/ann/shop/uploads", "app:/u"])
@pytest.mark.parametrize(
    ("word", "becomes"),
    [("share", "share"), ("copy", "copy else refuse"), ("refuse", "refused")],
)
def test_a_setting_decides(key, word, becomes, engine):
    assert action(bind("./uploads", "/u"), settings={key: word}, engine=engine) == becomes


@pytest.mark.parametrize(
    ("mount", "word"),
    [
        (bind("./pgdata", POSTGRES), "share"),
        (bind("./pgdata", POSTGRES), "copy"),
        (bind("./nowhere", "/x"), "share"),
        (bind("/var/run/docker.sock", "/s"), "copy"),
        (Mount("volume", "/x", "nfs", written="nfs"), "copy"),
    ],
)
def test_a_setting_that_cant_be_honoured_is_an_error(mount, word):
    with pytest.raises(ConfigError, match=r"shop\.yaml:3: mounts: .* can't be (shared|copied)"):
        decide(service(mount, image="postgres:16" if mount.target == POSTGRES else "x"),
               settings={mount.written: word}, volumes=VOLUMES)  # fmt: skip


def test_a_setting_that_names_no_mount_is_an_error_that_knows_the_nearest():
    with pytest.raises(
        ConfigError, match=r"shop\.yaml:3: mounts: no service mounts \./upload"
    ) as caught:
        decide(service(bind("./uploads", "/u")), settings={"./upload": "share"})
    assert caught.value.remedy == "did you mean ./uploads?"


@pytest.mark.parametrize("engine", BOTH)
def test_sockets_and_foreign_volumes_may_be_shared_by_the_setting(engine):
    mount = bind("/var/run/docker.sock", "/s")
    assert action(mount, settings={"/var/run/docker.sock": "share"}, engine=engine) == "share"


def test_a_refusal_names_file_line_and_the_way_out():
    with pytest.raises(ConfigError) as caught:
        decide(service(bind("/var/run/docker.sock", "/s")))
    text = str(caught.value)
    assert text.startswith(f"{ROOT}/compose.yaml:7: services.app.volumes: app may not write to")
    assert "{'/var/run/docker.sock': share}" in text


def test_all_services_see_one_copy_of_one_source():
    made = decide(
        service(bind("./uploads", "/uploads"), name="web"),
        service(bind("./uploads", "/srv", read_only=True), name="proxy"),
    )
    (web,), (proxy,) = made["web"], made["proxy"]
    assert web.key == proxy.key
    assert (proxy.action, proxy.read_only) == ("copy", True)


def test_whoever_else_mounts_the_data_of_a_server_sees_the_runs():
    made = decide(
        service(bind("./pgdata", POSTGRES), name="db", image="postgres:16"),
        service(bind("./pgdata", "/pg"), name="backup"),
    )
    assert [one.action for one in made["backup"]] == ["fresh"]


def test_a_mount_from_inside_a_copied_folder_is_said_to_show_other_files():
    inside = bind("./uploads/thumbs", "/srv", read_only=True)
    made = decide(service(bind("./uploads", "/u")), service(inside, name="proxy"))
    (said,) = unlike_copies(made)
    assert said.startswith("proxy: ./uploads/thumbs at /srv (compose.yaml:7) does not show")
    assert "the copy of ./uploads" in said
    assert list(unlike_copies(decide(service(inside, name="proxy")))) == []


def test_folders_that_stackproof_has_named_are_shared():
    mount = bind("/srv/media", "/cassettes")
    assert action(mount, own=["/srv/media"]) == "share"
    assert action(bind("/srv/new", "/cassettes"), own=["/srv/new"]) == "share"


def test_a_link_out_of_the_project_is_outside_of_it(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "media").mkdir()
    (tmp_path / "shop" / "media").symlink_to(tmp_path / "media")
    mount = Mount("bind", "/m", str(tmp_path / "shop" / "media"), written="./media")
    stack_file = StackFile((), tmp_path / "shop", {"app": service(mount)})
    project = Project(settings_of(tmp_path / "shop", {}), "compose", frozenset(), look_at)
    (one,) = decide_mounts(stack_file, {"app": None}, project)["app"]
    assert one.otherwise == "refuse"


TARGETS = st.sampled_from([POSTGRES, "/var/lib/postgresql", "/data", "/x", "/x/y", "/var/lib/mysql",
                           "/docker-entrypoint-initdb.d", "/var/run/docker.sock"])  # fmt: skip
MOUNTS = st.one_of(
    st.builds(
        bind,
        st.sampled_from(["./pgdata", "./uploads", "./one.conf", "./nowhere", "./app.sock", "/",
                         "/srv/media", "/var/run/docker.sock", "/dev/kvm", "/proc"]),
        TARGETS,
        read_only=st.booleans(),
    ),
    st.builds(
        lambda target, source, read_only: Mount("volume", target, source, read_only),
        TARGETS, st.sampled_from([None, *VOLUMES]), st.booleans(),
    ),
)  # fmt: skip
IMAGES = st.sampled_from(["postgres:16", "redis", "mysql", "example.org/app", "a/postgres-x:1"])


@given(
    st.lists(st.tuples(IMAGES, MOUNTS), min_size=1, max_size=4),
    st.sampled_from(BOTH),
)
@example([("postgres:16", bind("./pgdata", POSTGRES))], "compose")
def test_no_service_ever_writes_outside_the_run_unless_it_was_said(mounts, engine):
    services = [service(mount, image=image, name=f"s{at}")
                for at, (image, mount) in enumerate(mounts)]  # fmt: skip
    try:
        decided = decide(*services, engine=engine, volumes=VOLUMES)
    except ConfigError:
        return
    for one in services:
        (mount,) = one.mounts
        known = {planned.target: planned for planned in decided[one.name]}.get(mount.target)
        if known is None:  # its own
            assert mount.kind == "volume"
            assert mount.source in {None, "own", "renamed", "memory"}
        elif known.action == "share":
            assert known.source == str(ROOT / "app.sock")
        elif known.action == "keep":
            is_init = engine == "process" and mount.target.startswith("/docker-entrypoint-initdb.d")
            assert known.read_only or is_init
        if known is not None and known.action == "copy" and known.otherwise == "share":
            assert known.source.startswith(f"{ROOT}/")
            assert known.kind == "bind"


@given(st.lists(st.text(max_size=40), max_size=5), st.dictionaries(st.text(), st.text()))
def test_any_command_and_environment_can_be_read_for_data_paths(argv, environment):
    found = data_paths(["postgres"], environment, argv)
    assert found is not None
    assert all(path.startswith("/") for path in found.paths)
