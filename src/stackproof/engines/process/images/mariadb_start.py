"""Makes the data of a MariaDB: system tables, users, databases, and start-up files.

Source: docker-entrypoint.sh of the official images.
"""

from __future__ import annotations

import secrets
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, server_cache
from stackproof.engines.process.images.model import Runner, Step
from stackproof.engines.process.images.search import identity
from stackproof.engines.process.images.start_files import (
    copies_of,
    line_of,
    seen_file,
    start_files,
)
from stackproof.engines.process.images.unprivileged import server_user
from stackproof.errors import ConfigError
from stackproof.plan.model import ServicePlan
from stackproof.stack_file.regular_files import read_text_file, shown_path

TEMPLATE_VERSION = 1
"""Counted up whenever what goes into a template changes."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

SMALL = ("--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M", "--performance-schema=off")
SOCKET = "start-up.sock"
"""In the data folder, where the server and its clients are started: a path that is short enough."""

START = """\
set -e
mariadbd --no-defaults --basedir="$BASE" --datadir="$PWD" --plugin-dir="$BASE/lib/mysql/plugin" \
  --skip-networking --socket={socket} --skip-log-bin --innodb-flush-log-at-trx-commit=0 {small} &
server=$!
trap 'kill $server 2>/dev/null; wait $server' EXIT
sql() {{ mariadb --no-defaults -u root --socket={socket} "$@"; }}
until sql -e 'select 1' >/dev/null 2>&1; do kill -0 $server; sleep 0.05; done
sql mysql
export MYSQL_PWD="$ROOT_PASSWORD" MYSQL_UNIX_PORT="$PWD/{socket}"
unset ROOT_PASSWORD
"""


@dataclass(frozen=True)
class Programs:
    """MariaDB's programs.

    Attributes:
        base: The folder that has `bin`, `sbin` and `share`.
        environment: Variables that lead to its libraries.
    """

    base: Path
    environment: Mapping[str, str]

    @property
    def search(self) -> str:
        """The path on which its programs are found."""
        return f"{self.base}/sbin:{self.base}/bin:{SYSTEM_PATH}"


@dataclass(frozen=True)
class Databases:
    """What the environment of the official images says.

    Attributes:
        root_password: Password of `root`; empty where it has none.
        root_host: Where `root` may come from; empty for this machine alone.
        database: The database to make; empty for none.
        user: The user to make, with all rights in that database; empty for none.
        password: The user's password.
    """

    root_password: str = field(repr=False)
    root_host: str
    database: str
    user: str
    password: str = field(repr=False)

    def sql(self) -> str:
        """The statements that make them."""
        root = f"'root'@{_text(self.root_host)}"
        lines = [f"alter user 'root'@'localhost' identified by {_text(self.root_password)};"]
        if self.root_host not in {"", "localhost"}:
            lines.append(f"create user {root} identified by {_text(self.root_password)};")
            lines.append(f"grant all on *.* to {root} with grant option;")
        if self.database:
            lines.append(f"create database if not exists {_name(self.database)};")
        if self.user:
            lines.append(
                f"create user {_text(self.user)}@'%' identified by {_text(self.password)};"
            )
        if self.user and self.database:
            pattern = _name(self.database.replace("_", "\\_"))
            lines.append(f"grant all on {pattern}.* to {_text(self.user)}@'%';")
        return "\n".join([*lines, ""])


def read_databases(service: ServicePlan) -> Databases:
    """Read `MARIADB_…` and `MYSQL_…` variables, each also as a file (`…_FILE`).

    Args:
        service: The service.

    Raises:
        ConfigError: If `root` has no password and shall not be without; the image refuses that too.
    """
    environment = service.environment

    def value(name: str) -> str:
        for prefix in ("MARIADB_", "MYSQL_"):
            if environment.get(prefix + name):
                return environment[prefix + name]
            if environment.get(f"{prefix}{name}_FILE"):
                return _from_file(service, f"{prefix}{name}_FILE")
        return ""

    password = value("ROOT_PASSWORD")
    if not password and value("RANDOM_ROOT_PASSWORD"):
        password = secrets.token_urlsafe(24)
    allowed = value("ALLOW_EMPTY_ROOT_PASSWORD") or value("ALLOW_EMPTY_PASSWORD")
    if not password and not allowed:
        raise ConfigError(
            "the user root has no password, which the image refuses",
            key=f"services.{service.name}.environment.MARIADB_ROOT_PASSWORD",
            remedy="set MARIADB_ROOT_PASSWORD, or MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: 1",
        )
    user = value("USER")
    return Databases(
        root_password=password,
        root_host=value("ROOT_HOST") or "%",
        database=value("DATABASE"),
        user="" if user == "root" else user,
        password=value("PASSWORD"),
    )


def _from_file(service: ServicePlan, name: str) -> str:
    path = seen_file(service, service.environment[name])
    try:
        return read_text_file(path).rstrip("\n")
    except OSError as error:
        raise ConfigError(
            f"the file that {name} names can't be read",
            key=f"services.{service.name}.environment.{name}",
            observed=f"{shown_path(path)}: {error.strerror}",
            remedy=f"correct the path, or set {name.removesuffix('_FILE')}",
        ) from error


def data_template(programs: Programs, cache: Path, runner: Runner) -> Path:
    """A data folder with the system's tables, for a run to copy; made once for all runs.

    Args:
        programs: The server's programs.
        cache: Where it is kept.
        runner: Runs a preparation.
    """
    uid = server_user()
    key = content_key(TEMPLATE_VERSION, identity(programs.base / "sbin/mariadbd"), uid, list(SMALL))

    def build(draft: Path) -> None:
        data = draft / "data"
        data.mkdir(mode=0o700)
        draft.chmod(0o711)
        if uid is not None:
            shutil.chown(data, uid, uid)
        argv = (
            "/bin/sh", str(programs.base / "bin/mariadb-install-db"), "--no-defaults",
            f"--basedir={programs.base}", f"--datadir={data}", "--skip-test-db",
            "--auth-root-authentication-method=normal", *SMALL,
        )  # fmt: skip
        environment = {**programs.environment, "PATH": programs.search}
        runner(Step("a MariaDB data folder", argv, environment, cwd=data, uid=uid))

    folder = server_cache(cache) / "templates" / f"mariadb-{key}"
    return cached_folder(folder, build) / "data"


def run_start_files(
    service: ServicePlan, programs: Programs, databases: Databases, data: Path, runner: Runner
) -> None:
    """Make users and databases, and run what is mounted at /docker-entrypoint-initdb.d.

    Args:
        service: The service.
        programs: The server's programs.
        databases: What is to be made.
        data: The data folder, which is removed if a file fails.
        runner: Runs a preparation.
    """
    uid, place = server_user(), data / "start-up"
    copies = copies_of(start_files(service), place, uid)
    environment = {
        **service.environment,
        **programs.environment,
        "PATH": programs.search,
        "BASE": str(programs.base),
        "ROOT_PASSWORD": databases.root_password,
        "MARIADB_ROOT_PASSWORD": databases.root_password,
        "MYSQL_ROOT_PASSWORD": databases.root_password,
    }
    quoted = shlex.quote(databases.database).replace("{", "{{").replace("}", "}}")
    database = f"--database={quoted}" if databases.database else ""
    script = START.format(socket=SOCKET, small=" ".join(SMALL))
    lines = [script, *(line_of(path, f"sql {database} < {{}}") for path in copies)]
    argv = ("/bin/sh", "-c", "\n".join(lines))
    name = f"the databases of {service.name}"
    try:
        runner(Step(name, argv, environment, data, uid, stdin=databases.sql()))
    except BaseException:
        shutil.rmtree(data, ignore_errors=True)
        raise
    shutil.rmtree(place, ignore_errors=True)


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _name(value: str) -> str:
    return "`" + value.replace("`", "``") + "`"
