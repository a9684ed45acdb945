"""Runs `postgres` images natively, with the same variables and start-up files as the image has."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from stackproof.engines.process.images.command import server_arguments
from stackproof.engines.process.images.model import Launch, Runner, Server, Step
from stackproof.engines.process.images.postgres_access import access_of
from stackproof.engines.process.images.postgres_cluster import read_cluster
from stackproof.engines.process.images.postgres_init import run_init_files
from stackproof.engines.process.images.postgres_npm import fetch
from stackproof.engines.process.images.postgres_server import (
    client_programs,
    locate_postgres,
    with_vector,
)
from stackproof.engines.process.images.postgres_template import template_of
from stackproof.engines.process.images.start_files import seen_file
from stackproof.engines.process.images.unfit_data import refuse_unfit_data
from stackproof.engines.process.images.unprivileged import server_user
from stackproof.engines.process.run_data import seen_data
from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import Runtime
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder

PASSWORD_FILE = "POSTGRES_PASSWORD_FILE"  # noqa: S105 - the name of a variable


class Postgres:
    """The `postgres` image without its container."""

    product = "PostgreSQL"
    sources = "a configured folder, installed servers, a wheel, npm's packages"

    def locate(self, runtime: Runtime, cache: Path, runner: Runner) -> Server:  # noqa: ARG002 - the protocol's; nothing has to be run
        """Find the programs; see `locate_postgres`."""
        return locate_postgres(runtime, cache)

    def data_fault(self, folder: Path, server: Server) -> str:
        """Data are read by their own major version alone, which they name."""
        made_by = _version_of(folder)
        if made_by in {"", server.major}:
            return ""
        return f"PostgreSQL {made_by} made them, and PostgreSQL {server.version} was found"

    def prepare(
        self, service: ServicePlan, server: Server, run: RunFolder, cache: Path, runner: Runner
    ) -> Launch:
        """Copy a prepared data folder into the run, and run its start-up files on first use."""
        cluster = read_cluster(service.name, _with_seen_password(service), server.major)
        clients = client_programs(cache) or server.bindir
        fetch(server, clients, runner, lender=with_vector(server.major))
        uid = server_user()
        folder = run.data / service.name
        found = seen_data(run) / service.name
        refuse_unfit_data(service.name, self.data_fault(found, server))
        if not _version_of(found):
            template = template_of(cluster, server, cache, runner)
            _copy(template, folder, service.name, runner)
            run_init_files(service, cluster, server, folder, runner)
        access = access_of(service, run, folder, uid)
        place = str(folder) if service.world is None else _inside(service)
        return Launch(
            argv=(
                str(server.bindir / "postgres"),
                "-D",
                place,
                *server_arguments(service.argv, service.environment, ("postgres",)),
                *(word for name, value in access.own for word in ("-c", f"{name}={value}")),
            ),
            env={
                "PGDATA": place,
                # So that `psql -U …` finds it without address and password, as in the container.
                "PGHOST": access.host,
                "PGPORT": str(service.listens[1]),
                "PGPASSWORD": cluster.password,
            },
            cwd=Path(place),
            uid=uid,
            socket=access.socket,
            notices=access.notices,
            seen={**access.seen, **({place: folder} if service.world is not None else {})},
        )


def _with_seen_password(service: ServicePlan) -> Mapping[str, str]:
    """The variables, with the file of the password as this machine sees it."""
    written = service.environment.get(PASSWORD_FILE)
    seen = {PASSWORD_FILE: str(seen_file(service, written))} if written else {}
    return {**service.environment, **seen}


def _inside(service: ServicePlan) -> str:
    """Where its container has its data."""
    return service.environment.get("PGDATA") or "/var/lib/postgresql/data"


def _version_of(folder: Path) -> str:
    """The major version that has made a data folder; empty where there is none."""
    try:
        return (folder / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _copy(template: Path, folder: Path, service: str, runner: Runner) -> None:
    draft = folder.with_name(f"{folder.name}.new")
    for old in (draft, folder):
        shutil.rmtree(old, ignore_errors=True)
    make_folders(str(folder.parent))
    flags = ("-ac",) if sys.platform == "darwin" else ("-a", "--reflink=auto")
    runner(Step(f"the data folder of {service}", ("cp", *flags, str(template), str(draft))))
    draft.rename(folder)
