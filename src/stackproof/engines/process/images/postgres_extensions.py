"""Which extensions a PostgreSQL has, and which ones npm's packages have."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

CONTRIB = frozenset(
    """
    amcheck autoinc bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance
    file_fdw fuzzystrmatch hstore insert_username intagg intarray isn lo ltree moddatetime
    pageinspect pg_buffercache pg_freespacemap pg_prewarm pg_stat_statements pg_trgm pg_visibility
    pgcrypto pgrowlocks pgstattuple plpgsql postgres_fdw refint seg sslinfo tablefunc tcn
    tsm_system_rows tsm_system_time unaccent uuid-ossp xml2
    """.split()
)
"""What PostgreSQL itself brings (appendix F of its documentation)."""

VECTOR = "vector"
PLACES = ("share/postgresql/extension", "share/extension", "share/pgsql/extension")
SYSTEM = "/usr/share/postgresql/{}/extension"
LIBRARIES = "lib/postgresql"


def missing_extensions(postgres: Path, wanted: Sequence[str]) -> tuple[str, ...]:
    """Those extensions that a server does not have.

    Args:
        postgres: Its program.
        wanted: Names of extensions.
    """
    places = list(_places(postgres))
    return tuple(
        name for name in wanted if not any((one / f"{name}.control").is_file() for one in places)
    )


def is_in_npm(missing: Sequence[str]) -> bool:
    """Whether npm's packages have something that a server lacks."""
    return bool(CONTRIB.intersection(missing))


def lend_vector(owner: Path, root: Path) -> None:
    """Copy the extension vector from one installation of a major version to another.

    Args:
        owner: The folder of the one that has it.
        root: That of the other.
    """
    for place, pattern in ((PLACES[0], f"{VECTOR}*"), (LIBRARIES, f"{VECTOR}.so")):
        (root / place).mkdir(parents=True, exist_ok=True)
        for path in (owner / place).glob(pattern):
            shutil.copyfile(path, root / place / path.name)


def _places(postgres: Path) -> Iterator[Path]:
    """Folders in which the control files of extensions may be."""
    root = postgres.parent.parent
    yield from (root / place for place in PLACES)
    if root.name.isdigit():  # Debian's /usr/lib/postgresql/16
        yield Path(SYSTEM.format(root.name))
