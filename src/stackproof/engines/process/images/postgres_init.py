"""Start-up files of the official `postgres` image: what is in /docker-entrypoint-initdb.d."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from stackproof.engines.process.images.model import Runner, Server, Step
from stackproof.engines.process.images.postgres_cluster import Cluster
from stackproof.engines.process.images.start_files import copies_of, line_of, start_files
from stackproof.engines.process.images.unprivileged import server_user
from stackproof.plan.model import ServicePlan


def run_init_files(
    service: ServicePlan, cluster: Cluster, server: Server, folder: Path, runner: Runner
) -> None:
    """Run what is mounted at /docker-entrypoint-initdb.d, on a server that only a socket reaches.

    Source: docker-entrypoint.sh of the official image; `*.sh`, `*.sql` and packed ones by name.

    Args:
        service: The service.
        cluster: What was made for it.
        server: The server's programs.
        folder: Its data folder, which is removed if a file fails.
        runner: Runs a preparation.
    """
    files = start_files(service)
    if not files:
        return
    uid, sockets = server_user(), folder / "start-up"
    copies = copies_of(files, sockets, uid)
    environment = {
        **service.environment,
        "PATH": f"{server.bindir}:/usr/local/bin:/usr/bin:/bin",
        "PGHOST": str(sockets),
        "PGUSER": cluster.user,
        "PGDATABASE": cluster.database,
        "PGDATA": str(folder),
    }
    name, shell = f"the start-up files of {service.name}", ("/bin/sh", "-c")
    try:
        runner(Step(name, (*shell, _script(folder, sockets, copies)), environment, folder, uid))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(sockets, ignore_errors=True)


def _script(folder: Path, sockets: Path, files: Sequence[Path]) -> str:
    options = f"-c listen_addresses= -c unix_socket_directories={sockets}"
    control = f"pg_ctl -D {shlex.quote(str(folder))} -s -w"
    lines = [
        "set -e",
        f"{control} -o {shlex.quote(options)} start",
        f"trap {shlex.quote(control + ' -m fast stop')} EXIT",
        'sql() { psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet "$@"; }',
        *(line_of(path, "sql -f {}") for path in files),
    ]
    return "\n".join(lines)
