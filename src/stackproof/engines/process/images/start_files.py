"""Start-up files of the official database images: what is in /docker-entrypoint-initdb.d."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from stackproof.errors import ConfigError
from stackproof.plan.model import ServicePlan
from stackproof.stack_file.regular_files import refuse_special, shown_path

INIT_FOLDER = "/docker-entrypoint-initdb.d"
PACKED = {".sql.gz": "gunzip", ".sql.xz": "xz", ".sql.zst": "zstd"}
"""Endings of packed files, and the programs that unpack them."""

ENDINGS = (".sh", ".sql", *PACKED)


def start_files(service: ServicePlan) -> Sequence[Path]:
    """What a mount or a Dockerfile brings there, in the order of the names.

    Args:
        service: The service.

    Raises:
        ConfigError: If one of them is no regular file, which could be waited for without end.
    """
    found = _mounted(service)
    if service.world is not None:
        found = {
            PurePosixPath(target).name: path
            for target, path in service.world.files_below(INIT_FOLDER).items()
            if str(PurePosixPath(target).parent) == INIT_FOLDER
        }
    files = [found[name] for name in sorted(found) if name.endswith(ENDINGS)]
    for path in files:
        _refuse_special(service.name, path)
        _refuse_unpackable(service.name, path)
    return files


def line_of(path: Path, run_sql: str) -> str:
    """The shell command for one start-up file.

    Args:
        path: The file, in a folder that can be written to.
        run_sql: The command that runs SQL, with `{}` for the quoted file.
    """
    quoted = shlex.quote(str(path))
    program = next((one for ending, one in PACKED.items() if path.name.endswith(ending)), None)
    if program is not None:  # no pipe: its end would hide that a file is broken
        unpacked = shlex.quote(f"{path}.sql")
        return f"{program} -dc {quoted} > {unpacked}\n{run_sql.format(unpacked)}"
    if path.name.endswith(".sql"):
        return run_sql.format(quoted)
    return f"if [ -x {quoted} ]; then {quoted}; else . {quoted}; fi"


def _mounted(service: ServicePlan) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for target, path in service.mounts.items():
        if target.rstrip("/") == INIT_FOLDER and path.is_dir():
            found.update({file.name: file for file in path.iterdir()})
        elif target.startswith(INIT_FOLDER + "/"):
            found[target.rsplit("/", 1)[-1]] = path
    return found


def seen_file(service: ServicePlan, path: str) -> Path:
    """The file of this machine that a service sees at a path, such as one under /run/secrets.

    Args:
        service: The service; in the host world its variables name files of this machine.
        path: The path that it has.
    """
    found = service.world.source_of(path) if service.world is not None else None
    return found or service.mounts.get(path) or Path(path)


def copies_of(files: Sequence[Path], folder: Path, uid: int | None) -> list[Path]:
    """Copies of the files in a folder where the server's user can read them.

    Args:
        files: The files.
        folder: The folder, which is made.
        uid: The server's user; None for the caller's.
    """
    folder.mkdir(mode=0o700)
    copies = [Path(shutil.copy2(path, folder)) for path in files]
    if uid is not None:
        for path in (folder, *copies):
            shutil.chown(path, uid, uid)
    return copies


def _refuse_unpackable(service: str, path: Path) -> None:
    """Refuse a packed file for which this machine has no program."""
    program = next((one for end, one in PACKED.items() if path.name.endswith(end)), None)
    if program is not None and shutil.which(program) is None:
        raise ConfigError(
            f"the start-up file {path.name} of {service} can't be unpacked",
            key=f"services.{service}.volumes",
            observed=f"{shown_path(path)}: there is no program {program} on this machine",
            remedy=f"install {program}, or unpack the file",
        )


def _refuse_special(service: str, path: Path) -> None:
    """Refuse what has no end, or would be waited for, before it is copied."""
    try:
        refuse_special(path)
    except OSError as error:
        raise ConfigError(
            f"a start-up file of {service} can't be read",
            key=f"services.{service}.volumes",
            observed=f"{shown_path(path)}: {error.strerror}",
            remedy=f"mount files and scripts at {INIT_FOLDER}",
        ) from error
