"""Finds RabbitMQ and Erlang, and lays out what one broker loads of them, so that it starts quickly.

A broker looks at every plugin that is there, enabled or not, and Erlang tries each folder of its
code path for each module: 50,000 files that do not exist. Both together are two fifths of the CPU
time of a start. A broker here sees the plugins that it has enabled, and one folder of all modules.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, server_cache
from stackproof.engines.process.images.debian import Packages, find_packages, unpack
from stackproof.engines.process.images.model import Runner, Server
from stackproof.engines.process.images.search import identity, on_path
from stackproof.errors import EngineUnavailable
from stackproof.plan.runtime import Runtime
from stackproof.stack_file.regular_files import read_text_file

FORMAT = 1
"""Part of every layout's key; changes when they are made in another way."""

PACKAGES = ("rabbitmq-server",)
IN_PACKAGE = "usr/lib/rabbitmq/lib/rabbitmq_server-{}/sbin"
SERVER = "rabbitmq-server"

_STICKY = frozenset({"kernel", "stdlib", "compiler"})
"""Applications whose modules Erlang loads from their own folders alone."""

_APPLICATIONS = re.compile(r"\{\s*+applications\s*+,\s*+\[([^][{]*+)\]")

_ERL = """#!/bin/sh
# Debian's has the folder /usr/lib/erlang written into it.
export ROOTDIR={root} BINDIR={bindir} EMU=beam PROGNAME=erl
export LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}
exec "$BINDIR/erlexec" "$@"
"""


@dataclass(frozen=True)
class Layout:
    """The programs of one broker.

    Attributes:
        programs: Folder of `rabbitmq-server`, `rabbitmqctl` and the others.
        plugins: Folder of the plugins that it sees.
        modules: Folder of all modules.
        libraries: Further Erlang applications; None where Erlang is complete by itself.
    """

    programs: Path
    plugins: Path
    modules: Path
    libraries: Path | None = None


def locate_rabbitmq(runtime: Runtime, cache: Path) -> Server:
    """A configured RabbitMQ, an installed one, or Debian's packages, in this order.

    Args:
        runtime: Which version is wanted, and the explicit folder if there is one.
        cache: Where Debian's packages are unpacked when the server is prepared.

    Raises:
        EngineUnavailable: If none fits; another major version is never taken.
    """
    seen: list[str] = []
    for server in _found(runtime, cache):
        if runtime.bindir is not None or _major(runtime.version) in {"", server.major}:
            return _with_notice(server, runtime.version)
        seen.append(f"{server.origin}: RabbitMQ {server.version}")
    raise _unavailable(runtime, seen)


def _found(runtime: Runtime, cache: Path) -> Iterator[Server]:
    if runtime.bindir is not None:
        version = _version(runtime.bindir)
        if version and os.access(runtime.bindir / SERVER, os.X_OK):
            yield Server("RabbitMQ", runtime.bindir, version, "configured")
        return
    for program, origin in on_path(SERVER):
        # Debian's own wrapper changes the user and the folder.
        real = (program.with_name(SERVER) if program.name != SERVER else program).resolve()
        if (version := _version(real.parent)) and shutil.which("erl"):
            yield Server("RabbitMQ", real.parent, version, origin)
    packages = find_packages(PACKAGES, cache)
    if packages is not None and packages.version:
        root = packages.folder(cache) / "root"
        bindir = root / IN_PACKAGE.format(packages.version)
        yield Server("RabbitMQ", bindir, packages.version, "Debian's packages")


def _version(bindir: Path) -> str:
    """The version of an installation; empty where a folder has none of its programs."""
    for path in sorted((bindir.parent / "plugins").glob("rabbit-*")):
        return path.name.removeprefix("rabbit-").removesuffix(".ez")
    return ""


def _major(version: str) -> str:
    return version.partition(".")[0]


def _with_notice(server: Server, wanted: str) -> Server:
    if not wanted or f"{server.version}.".startswith(f"{wanted}."):
        return server
    notice = f"stands in for rabbitmq:{wanted}"
    return Server(server.name, server.bindir, server.version, server.origin, (notice,))


def _unavailable(runtime: Runtime, seen: list[str]) -> EngineUnavailable:
    wanted = f"RabbitMQ {runtime.version}".strip()
    if runtime.bindir is not None:
        return EngineUnavailable(
            f"{runtime.bindir} has no RabbitMQ server",
            checked=[f"{runtime.bindir / SERVER} with ../plugins/rabbit-VERSION beside it"],
            remedy="correct STACKPROOF_RABBITMQ_BINDIR, `servers.rabbitmq` of the stack config or "
            "`x-stackproof.bindir`: it is the folder `sbin` of RabbitMQ",
        )
    return EngineUnavailable(
        f"there is no {wanted} on this machine",
        checked=[
            *seen,
            "PATH: no rabbitmq-server that fits, with erl",
            "Debian's packages (apt-get download): none that fits",
        ],
        remedy="install rabbitmq-server with Erlang, or set STACKPROOF_RABBITMQ_BINDIR to its "
        "folder `sbin`; or name a version that is there, or use --engine compose",
    )


def lay_out_programs(server: Server, plugins: Iterable[str], cache: Path, runner: Runner) -> Layout:
    """The programs of a broker with some plugins; made once for all runs.

    Args:
        server: What was found; Debian's packages are unpacked now.
        plugins: Names of the plugins that are enabled.
        cache: Where they are kept.
        runner: Runs a preparation.

    Raises:
        EngineUnavailable: If Debian's packages can't be had, or lack a plugin.
    """
    packages = None if server.bindir.is_dir() else find_packages(PACKAGES, cache)
    root = _root(server, packages, cache, runner)
    home = server.bindir.parent
    names = sorted(set(plugins))
    key = content_key(FORMAT, server.version, identity(server.bindir / SERVER), names, str(root))
    folder = server_cache(cache) / "servers" / f"rabbitmq-{server.version}-{key}"
    cached_folder(folder, partial(_make, home, root, names))
    return Layout(folder / "sbin", folder / "plugins", folder / "modules", _libraries(root))


def _libraries(root: Path | None) -> Path | None:
    """Erlang applications of the packages, where Erlang itself is the machine's."""
    erlang = root / "usr/lib/erlang" if root is not None else None
    if erlang is None or (erlang / "bin/erl").exists() or not (erlang / "lib").is_dir():
        return None
    return erlang / "lib"


def _root(server: Server, packages: Packages | None, cache: Path, runner: Runner) -> Path | None:
    """The folder that Debian's packages are unpacked in; None for an installed server."""
    if packages is not None:
        return unpack(packages, cache, runner)
    shelf = server_cache(cache) / "debian"
    inside = shelf in server.bindir.parents
    return next(path for path in server.bindir.parents if path.name == "root") if inside else None


def _make(home: Path, root: Path | None, names: list[str], draft: Path) -> None:
    draft.chmod(0o755)
    shutil.copytree(home / "sbin", draft / "sbin")  # they look for the rest beside themselves
    (draft / "escript").symlink_to(home / "escript")
    _link_plugins(home / "plugins", names, draft / "plugins")
    erlang = _erlang(root)
    modules = draft / "modules"
    modules.mkdir(mode=0o755)
    for application in [*(erlang / "lib").glob("*"), *(draft / "plugins").glob("*")]:
        if application.name.partition("-")[0] not in _STICKY:
            for module in application.resolve().glob("ebin/*.beam"):
                if not (link := modules / module.name).is_symlink():
                    link.symlink_to(module)
    if root is not None and (erlang / "bin/erl").exists() and root in erlang.parents:
        _write_erl(draft / "sbin/erl", root, erlang)


def _erlang(root: Path | None) -> Path:
    """The folder of Erlang: that of the packages where they have it, else the machine's."""
    if root is not None and (root / "usr/lib/erlang/bin/erl").exists():
        return root / "usr/lib/erlang"
    found = next(on_path("erl"), None)
    return found[0].parent.parent if found else Path("/usr/lib/erlang")


def _write_erl(path: Path, root: Path, erlang: Path) -> None:
    libraries = [*root.glob("usr/lib/*-linux-*"), *root.glob("lib/*-linux-*")]
    bindir = next(erlang.glob("erts-*/bin"))
    text = _ERL.format(root=erlang, bindir=bindir, libraries=":".join(map(str, libraries)))
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _link_plugins(source: Path, names: list[str], target: Path) -> None:
    """Link the enabled plugins and what they need; all where they can't be told apart."""
    target.mkdir(mode=0o755)
    known = {
        path.name.rpartition("-")[0]: path for path in source.iterdir() if (path / "ebin").is_dir()
    }
    missing = [name for name in names if name not in known]
    if "rabbit" in known and missing:
        raise EngineUnavailable(
            f"RabbitMQ has no plugin {', '.join(missing)}",
            checked=[
                f"{source}: {', '.join(sorted(n for n in known if n.startswith('rabbitmq_')))}"
            ],
            remedy="remove it from `enabled_plugins` or the command, or use --engine compose",
        )
    chosen = needed_by(["rabbit", *names], known) if "rabbit" in known else None
    for path in source.iterdir():
        if chosen is None or path in chosen:
            (target / path.name).symlink_to(path)


def needed_by(names: Iterable[str], known: Mapping[str, Path]) -> set[Path]:
    """The folders of applications and of all that they need.

    Args:
        names: The applications.
        known: Every application that is there, and its folder.
    """
    found: set[Path] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        path = known.get(name)  # Erlang's own are elsewhere
        if path is not None and path not in found:
            found.add(path)
            match = _APPLICATIONS.search(read_text_file(path / "ebin" / f"{name}.app"))
            waiting += re.findall(r"\w+", match[1]) if match else []
    return found
