"""Runs `mariadb` and `mysql` images natively in a private world; MariaDB stands in for MySQL.

Source: the official images' references for variables, start-up files and paths.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from stackproof.engines.process.images.command import server_arguments
from stackproof.engines.process.images.mariadb_start import (
    Databases,
    Programs,
    data_template,
    read_databases,
    run_start_files,
)
from stackproof.engines.process.images.model import Launch, Runner, Server, Step
from stackproof.engines.process.images.packaged import SOURCES, Program, library_path
from stackproof.engines.process.images.unfit_data import (
    MADE_BY,
    later_version_fault,
    refuse_unfit_data,
)
from stackproof.engines.process.images.unprivileged import give, private_folder, server_user
from stackproof.engines.process.run_data import seen_data
from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import Runtime
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder

PROGRAM = Program(
    "MariaDB", "mariadbd", "usr/sbin",
    ("mariadb-server-core", "mariadb-client-core", "mariadb-client"), "mariadb",
)  # fmt: skip
SERVERS = ("mariadbd", "mysqld")
DATA, SOCKETS, CONFIG = "/var/lib/mysql", "/run/mysqld", "/etc/mysql"
SETTINGS = """\
[client-server]
socket = {sockets}/mysqld.sock

# In a container, `exec` runs clients as root, whose name they then take.
[client]
user = root

# The data are disposable, so nothing waits for the disk; names of clients are not looked up, as in
# the image; a probe that connects and leaves is no reason to shut anybody out.
[mysqld]
basedir = {base}
datadir = {data}
plugin_dir = {base}/lib/mysql/plugin
pid_file = {sockets}/mysqld.pid
tmpdir = /tmp
skip_name_resolve
host_cache_size = 0
max_connect_errors = 4294967295
innodb_flush_log_at_trx_commit = 0
innodb_doublewrite = 0
innodb_log_file_size = 8M
innodb_buffer_pool_size = 64M
performance_schema = off
!includedir {config}/conf.d/
!includedir {config}/mariadb.conf.d/
"""

OF_MYSQL = "--default-authentication-plugin=mysql_native_password"
"""An option of MySQL 8 alone, which asks for what MariaDB does anyway."""


class MariaDB:
    """The `mariadb` and `mysql` images without their containers."""

    product = "MariaDB"
    sources = SOURCES

    def locate(self, runtime: Runtime, cache: Path, runner: Runner) -> Server:  # noqa: ARG002 - the protocol's
        """Find the programs; see `Program.locate`."""
        found = PROGRAM.locate(runtime, cache)
        if found.notices or runtime.image != "mysql":
            return found
        return Server(
            found.name, found.bindir, found.version, found.origin, ("stands in for MySQL",)
        )

    def data_fault(self, folder: Path, server: Server) -> str:
        """Data are read by the version that has written them, or a later one."""
        return later_version_fault(folder, server)

    def prepare(
        self, service: ServicePlan, server: Server, run: RunFolder, cache: Path, runner: Runner
    ) -> Launch:
        """Copy a prepared data folder into the run, and run its start-up files on first use.

        Raises:
            CommandFailed: If a start-up file fails.
            ConfigError: If the root user has no password, which the image refuses too.
        """
        if service.world is None:
            raise AssertionError(f"{service.name} was planned for the host world")
        databases = read_databases(service)
        uid = server_user()
        data, place = run.data / service.name, private_folder(run, service.name, uid)
        found = seen_data(run) / service.name
        refuse_unfit_data(service.name, self.data_fault(found, server))
        root = PROGRAM.root(server, cache, runner)
        programs = Programs(root / "usr", library_path(root))
        if not (found / MADE_BY).exists():
            self._make_data(service, programs, databases, data, cache, runner)
        (found / MADE_BY).write_text(server.version, encoding="ascii")
        give(found, uid)
        sockets = place / "run"
        sockets.mkdir(mode=0o755, exist_ok=True)
        _write_settings(place / "config", programs)
        give(place, uid)
        given = server_arguments(service.argv, service.environment, SERVERS)
        return Launch(
            argv=(str(server.bindir / PROGRAM.name), *(one for one in given if one != OF_MYSQL)),
            env={**programs.environment, "PATH": programs.search},
            notices=(f"{OF_MYSQL} is left out: MariaDB does so anyway",)
            if OF_MYSQL in given
            else (),
            cwd=Path(DATA),
            uid=uid,
            image_files={CONFIG: place / "config"},
            seen={DATA: data, SOCKETS: sockets},
        )

    def _make_data(
        self,
        service: ServicePlan,
        programs: Programs,
        databases: Databases,
        data: Path,
        cache: Path,
        runner: Runner,
    ) -> None:
        template = data_template(programs, cache, runner)
        shutil.rmtree(data, ignore_errors=True)
        make_folders(str(data.parent))
        copy = ("cp", "-a", "--reflink=auto", str(template), str(data))
        runner(Step(f"the data folder of {service.name}", copy))
        run_start_files(service, programs, databases, data, runner)


def _write_settings(folder: Path, programs: Programs) -> None:
    for name in ("conf.d", "mariadb.conf.d"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    text = SETTINGS.format(base=programs.base, data=DATA, sockets=SOCKETS, config=CONFIG)
    (folder / "my.cnf").write_text(text, encoding="utf-8")
