"""Runs `postgres` images natively, with the same variables and start-up files as the image has."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, server_cache
from stackproof.engines.process.images.command import server_arguments
from stackproof.engines.process.images.model import Launch, Runner, Server, Step
from stackproof.engines.process.images.postgres_access import access_of
from stackproof.engines.process.images.postgres_server import locate_postgres
from stackproof.engines.process.images.search import identity
from stackproof.engines.process.images.unprivileged import server_user
from stackproof.errors import ConfigError
from stackproof.plan.model import Runtime, ServicePlan
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack_file.regular_files import (
    read_text_file,
    refuse_special,
    shown_path,
)

TEMPLATE_VERSION = 3
"""Counted up whenever what goes into a template changes."""

INIT_FOLDER = "/docker-entrypoint-initdb.d"

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


@dataclass(frozen=True)
class Cluster:
    """What the environment of the official image says about the cluster to make.

    Attributes:
        user: The superuser.
        password: Its password; empty where everybody is trusted.
        database: The database to make.
        arguments: Further arguments of initdb.
        auth: How a client that connects over TCP shows who it is.
    """

    user: str
    password: str
    database: str
    arguments: tuple[str, ...]
    auth: str


def read_cluster(service: str, environment: Mapping[str, str]) -> Cluster:
    """Read `POSTGRES_USER`, `_PASSWORD`, `_DB`, `_INITDB_ARGS` and `_HOST_AUTH_METHOD`.

    Args:
        service: Name of the service, for the error.
        environment: Its environment.

    Raises:
        ConfigError: If there is neither a password nor trust; the image refuses that too.
    """
    user = environment.get("POSTGRES_USER") or "postgres"
    password = environment.get("POSTGRES_PASSWORD", "")
    if not password and environment.get("POSTGRES_PASSWORD_FILE"):
        password = _from_file(service, environment["POSTGRES_PASSWORD_FILE"])
    auth = environment.get("POSTGRES_HOST_AUTH_METHOD") or "scram-sha-256"
    if not password and auth != "trust":
        raise ConfigError(
            "the superuser has no password, which the image refuses",
            key=f"services.{service}.environment.POSTGRES_PASSWORD",
            remedy="set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD: trust",
        )
    return Cluster(
        user=user,
        password=password,
        database=environment.get("POSTGRES_DB") or user,
        arguments=_arguments(service, environment.get("POSTGRES_INITDB_ARGS", "")),
        auth=auth,
    )


def _arguments(service: str, text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(
            "the arguments of initdb can't be split into words",
            key=f"services.{service}.environment.POSTGRES_INITDB_ARGS",
            observed=str(error),
            remedy="close the quote",
        ) from None


def _from_file(service: str, path: str) -> str:
    try:
        return read_text_file(Path(path)).rstrip("\n")
    except OSError as error:
        raise ConfigError(
            "the file with the password can't be read",
            key=f"services.{service}.environment.POSTGRES_PASSWORD_FILE",
            observed=f"{shown_path(Path(path))}: {error.strerror}",
            remedy="correct the path, or set POSTGRES_PASSWORD",
        ) from error


class Postgres:
    """The `postgres` image without its container."""

    def locate(self, runtime: Runtime, cache: Path, runner: Runner) -> Server:  # noqa: ARG002 - the protocol's; nothing has to be run
        """Find the programs; see `locate_postgres`."""
        return locate_postgres(runtime, cache)

    def prepare(
        self, service: ServicePlan, server: Server, run: RunFolder, cache: Path, runner: Runner
    ) -> Launch:
        """Copy a prepared data folder into the run, and run its start-up files on first use."""
        cluster = read_cluster(service.name, service.environment)
        uid = server_user()
        folder = run.data / service.name
        if not _is_usable(folder, server):
            template = _template(cluster, server, cache, runner, uid)
            _copy(template, folder, service.name, runner)
            _run_init_files(service, cluster, server, folder, runner, uid)
        access = access_of(service, run, folder, uid)
        return Launch(
            argv=(
                str(server.bindir / "postgres"),
                "-D",
                str(folder),
                *server_arguments(service.argv, service.environment, ("postgres",)),
                *(word for name, value in access.own for word in ("-c", f"{name}={value}")),
            ),
            env={
                "PGDATA": str(folder),
                # So that `psql -U …` finds it without address and password, as in the container.
                "PGHOST": access.host,
                "PGPORT": str(service.endpoints[0].port),
                "PGPASSWORD": cluster.password,
            },
            cwd=folder,
            uid=uid,
            socket=access.socket,
            notices=access.notices,
        )


def _is_usable(folder: Path, server: Server) -> bool:
    """Whether a data folder of an earlier start is there and was made by the same major version."""
    try:
        return (folder / "PG_VERSION").read_text(encoding="ascii").strip() == server.major
    except FileNotFoundError:
        return False


def _template(
    cluster: Cluster, server: Server, cache: Path, runner: Runner, uid: int | None
) -> Path:
    """A data folder with the database in it, made once for all runs; each run marks its own."""
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
    chosen = any(one.startswith("--wal-segsize") for one in cluster.arguments)
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
        "--no-instructions",
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


def _copy(template: Path, folder: Path, service: str, runner: Runner) -> None:
    draft = folder.with_name(f"{folder.name}.new")
    for old in (draft, folder):
        shutil.rmtree(old, ignore_errors=True)
    make_folders(str(folder.parent))
    flags = ("-ac",) if sys.platform == "darwin" else ("-a", "--reflink=auto")
    runner(Step(f"the data folder of {service}", ("cp", *flags, str(template), str(draft))))
    draft.rename(folder)


def _run_init_files(
    service: ServicePlan,
    cluster: Cluster,
    server: Server,
    folder: Path,
    runner: Runner,
    uid: int | None,
) -> None:
    """Run what is mounted at /docker-entrypoint-initdb.d, on a server that only a socket reaches.

    Source: docker-entrypoint.sh of the official image; `*.sh`, `*.sql`, `*.sql.gz` by name.
    """
    files = _init_files(service.mounts)
    if not files:
        return
    for path in files:
        _refuse_special(service.name, path)
    sockets = folder / "start-up"
    sockets.mkdir(mode=0o700)
    copies = [Path(shutil.copy2(path, sockets)) for path in files]  # where its user can read them
    if uid is not None:
        for path in (sockets, *copies):
            shutil.chown(path, uid, uid)
    options = f"-c listen_addresses= -c unix_socket_directories={sockets}"
    control = f"pg_ctl -D {shlex.quote(str(folder))} -s -w"
    script = "\n".join(
        [
            "set -e",
            f"{control} -o {shlex.quote(options)} start",
            f"trap {shlex.quote(control + ' -m fast stop')} EXIT",
            'sql() { psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet "$@"; }',
            *(_init_line(path) for path in copies),
        ]
    )
    environment = {
        **service.environment,
        "PATH": f"{server.bindir}:/usr/local/bin:/usr/bin:/bin",
        "PGHOST": str(sockets),
        "PGUSER": cluster.user,
        "PGDATABASE": cluster.database,
        "PGDATA": str(folder),
    }
    try:
        name = f"the start-up files of {service.name}"
        runner(Step(name, ("/bin/sh", "-c", script), environment, folder, uid))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(sockets, ignore_errors=True)


def _init_files(mounts: Mapping[str, Path]) -> Sequence[Path]:
    found: dict[str, Path] = {}
    for target, path in mounts.items():
        if target.rstrip("/") == INIT_FOLDER and path.is_dir():
            found.update({one.name: one for one in path.iterdir()})
        elif target.startswith(INIT_FOLDER + "/"):
            found[target.rsplit("/", 1)[-1]] = path
    return [found[name] for name in sorted(found) if name.endswith((".sh", ".sql", ".sql.gz"))]


def _refuse_special(service: str, path: Path) -> None:
    """Refuse what has no end, or would be waited for, before it is copied."""
    try:
        refuse_special(path)
    except OSError as error:
        raise ConfigError(
            f"a start-up file of {service} can't be read",
            key=f"services.{service}.volumes",
            observed=f"{shown_path(path)}: {error.strerror}",
            remedy=f"mount files and scripts at {INIT_FOLDER}",
        ) from error


def _init_line(path: Path) -> str:
    quoted = shlex.quote(str(path))
    if path.name.endswith(".sql"):
        return f"sql -f {quoted}"
    if path.name.endswith(".sql.gz"):
        return f"gunzip -c {quoted} | sql"
    return f"if [ -x {quoted} ]; then {quoted}; else . {quoted}; fi"
