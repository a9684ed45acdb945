"""A fresh seeded database of 10 MB handed to a test: ours, and pytest-postgresql's from a template.

Each has a server of its own, since the one's log of changes would cost the other's checkpoints;
both have the same programs, data and settings for disposable data, which is in favour of
pytest-postgresql, whose own server waits for the disk; its log has files of the usual 16 MiB, as
its way of cloning writes much there. Its `DatabaseJanitor` is what its fixtures
call; neither side's time has the test's own connection in it.

Nothing is dropped between the rounds: ext4 passes over inodes that were freed a few seconds ago,
one by one, so that drops in a tight loop make each new file slower, whoever makes it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks import results
from benchmarks.stack import ROOT, SILENT, state_folder
from stackproof.isolation.clones import Clones
from stackproof.isolation.shared_servers import SharedServers, start_servers
from stackproof.stack.resolved import StackRequest
from stackproof.stack.sql_session import open_session

ROUNDS = 15
LOCK = ROOT / "requirements" / "database-peers.txt"
FILES = {
    "compose.yaml": """\
        services:
          db:
            image: postgres:16
            environment:
              POSTGRES_PASSWORD: secret
              POSTGRES_DB: bench_test
              POSTGRES_INITDB_ARGS: ARGUMENTS
            volumes: ["./seed.sql:/seed.sql:ro"]
        """,
    "config/bench.yaml": """\
        stack: bench
        compose_files: [../compose.yaml]
        database: {service: db, name: bench_test}
        seed: {service: db, command: [psql, -qU, postgres, -d, bench_test, -f, /seed.sql]}
        """,
    "seed.sql": """\
        select format('create table t%1$s as select g as id, repeat(md5(g::text), 3) as text
          from generate_series(1, 900) g; alter table t%1$s add primary key (id)', n)
          from generate_series(1, 20) n \\gexec
        """,
}

PEER = """
import json, sys, time
from pytest_postgresql.janitor import DatabaseJanitor
address = json.loads(sys.argv[1])
for number, line in enumerate(sys.stdin):
    janitor = DatabaseJanitor(**address, dbname=f"peer_{number}", template_dbname="peer_template")
    began = time.monotonic()
    janitor.init()
    print(time.monotonic() - began, flush=True)
"""


def databases() -> None:
    """Hand out databases in turn, with clones made ahead and without."""
    warm, cold, peers = [], [], []
    with _servers() as servers, _servers("--wal-segsize=16") as theirs, _peer(theirs) as peer:
        with closing(open_session(servers.stack, "db")) as session:
            (size,) = session.run("select pg_database_size('bench_test') / 1000000")
        ready = servers.clones["db"]
        with closing(Clones(open_session(servers.stack, "db"), "bench_test", ahead=0)) as empty:
            for number in range(ROUNDS + 1):  # the first one warms up
                took = [_handed(ready), _handed(empty), _handed_by(peer)]
                if number:
                    for kept, seconds in zip((warm, cold, peers), took, strict=True):
                        kept.append(seconds * 1000)
    what = f"a fresh seeded database of {size} MB handed to a test"
    other_is = "pytest-postgresql's DatabaseJanitor from a template, same programs and settings"
    results.write(
        "database", f"{what}, clones made ahead", ours=warm, other=peers, other_is=other_is,
        unit="ms", bound=11, absolute=True,
    )  # fmt: skip
    results.write(
        "database-empty", f"{what}, none made ahead", ours=cold, other=peers, other_is=other_is,
        unit="ms", bound=60, absolute=True,
    )  # fmt: skip


def _handed(clones: Clones) -> float:
    clones.wait_idle()
    began = time.monotonic()
    clones.take()
    took = time.monotonic() - began
    clones.wait_idle()
    return took


def _handed_by(peer: subprocess.Popen[str]) -> float:
    peer.stdin.write("\n")
    peer.stdin.flush()
    return float(peer.stdout.readline())


@contextmanager
def _servers(initdb: str = "") -> Iterator[SharedServers]:
    """A server with the database on it, whose data folder was made with some arguments."""
    with state_folder() as state, tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text).replace("ARGUMENTS", initdb))
        environment = {**os.environ, "STACKPROOF_STATE_DIR": state}
        servers = start_servers(StackRequest(Path(folder), environment), ["db"], SILENT)
        try:
            yield servers
        finally:
            servers.close(SILENT)


@contextmanager
def _peer(servers: SharedServers) -> Iterator[subprocess.Popen[str]]:
    """pytest-postgresql in an environment of its own, with a template of the same data."""
    name = servers.take_database("db")
    endpoint = servers.stack.endpoint("db")
    address = {
        "host": endpoint.host, "port": endpoint.port, "user": "postgres", "password": "secret"
    }  # fmt: skip
    with closing(open_session(servers.stack, "db")) as session:
        session.run(f'alter database "{name}" rename to peer_template')
    with tempfile.TemporaryDirectory() as folder:
        python, uv = f"{folder}/bin/python", str(Path(sys.executable).with_name("uv"))
        for argv in (
            [uv, "venv", "--quiet", "--python", sys.executable, folder],
            [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(LOCK)],
        ):
            subprocess.run(argv, check=True)
        argv = [python, "-c", PEER, json.dumps(address)]
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as peer:
            yield peer
            peer.stdin.close()
