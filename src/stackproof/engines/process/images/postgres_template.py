"""A PostgreSQL data folder with an empty database, made once for all runs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, server_cache
from stackproof.engines.process.images.model import Runner, Server, Step
from stackproof.engines.process.images.postgres_cluster import Cluster
from stackproof.engines.process.images.search import identity
from stackproof.engines.process.images.unprivileged import server_user

TEMPLATE_VERSION = 3
"""Counted up whenever what goes into a template changes."""

SETTINGS = """
# Added by stackproof: the data are disposable, so nothing waits for the disk; shared memory is kept
# in the data folder, so that a killed server leaves none; the log of changes stays small, since
# data folders are copied.
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
max_wal_size = 256MB
logging_collector = off
log_destination = stderr
"""

FIRST_WITH_SEGMENT_SIZE = 11
"""The first major version whose initdb takes `--wal-segsize`, in MiB."""


FIRST_WITHOUT_INSTRUCTIONS = 14
"""The first major version whose initdb takes `--no-instructions`."""


def template_of(cluster: Cluster, server: Server, cache: Path, runner: Runner) -> Path:
    """A data folder with the database in it, for a run to copy; each run marks its own.

    Args:
        cluster: What is in it.
        server: The server's programs.
        cache: Where it is kept.
        runner: Runs a preparation.
    """
    uid = server_user()
    locale = "C" if sys.platform == "darwin" else "C.UTF-8"
    program = server.bindir / "postgres"
    key = content_key(TEMPLATE_VERSION, identity(program), vars(cluster), locale, uid, SETTINGS)

    def build(draft: Path) -> None:
        data = draft / "data"
        data.mkdir(mode=0o700)
        draft.chmod(0o711)
        if uid is not None:
            shutil.chown(data, uid, uid)
        runner(_initdb(cluster, server, data, locale, uid))
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SETTINGS)
            if _has_small_log(cluster, server):
                file.write("min_wal_size = 2MB\n")
        (data / "pg_hba.conf").write_text(_host_based(cluster), encoding="utf-8")
        single = (str(program), "--single", "-j", "-D", str(data), "-c", "exit_on_error=on")
        name = f"making the database {cluster.database}"
        sql = _database_sql(cluster)
        runner(Step(name, (*single, "postgres"), cwd=data, uid=uid, stdin=sql))

    folder = server_cache(cache) / "templates" / f"postgres-{server.major}-{key}"
    return cached_folder(folder, build) / "data"


def _has_small_log(cluster: Cluster, server: Server) -> bool:
    """Whether the log's files may be small: the least size of the log must be two of them."""
    chosen = any(argument.startswith("--wal-segsize") for argument in cluster.arguments)
    return int(server.major) >= FIRST_WITH_SEGMENT_SIZE and not chosen


def _initdb(cluster: Cluster, server: Server, data: Path, locale: str, uid: int | None) -> Step:
    argv = (
        str(server.bindir / "initdb"),
        f"--pgdata={data}",
        f"--username={cluster.user}",
        "--encoding=UTF8",
        f"--locale={locale}",
        "--auth=trust",  # until pg_hba.conf is written; nothing listens before that
        "--no-sync",
        *(["--wal-segsize=1"] if _has_small_log(cluster, server) else []),
        *(["--no-instructions"] if int(server.major) >= FIRST_WITHOUT_INSTRUCTIONS else []),
        *cluster.arguments,
    )
    return Step("a PostgreSQL data folder", argv, cwd=data, uid=uid)


def _host_based(cluster: Cluster) -> str:
    return (
        "# Written by stackproof. The socket is used for start-up files only.\n"
        "local all all trust\n"
        f"host all all all {cluster.auth}\n"
        f"host replication all all {cluster.auth}\n"
    )


def _database_sql(cluster: Cluster) -> str:
    statements = []
    if cluster.password:
        password = cluster.password.replace("'", "''").replace("\\", "\\\\")
        statements.append(f"alter user {_quoted(cluster.user)} password E'{password}'")
    if cluster.database != "postgres":
        statements.append(f"create database {_quoted(cluster.database)}")
    return "".join(f"{statement};\n\n" for statement in statements)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
