"""Finds the Compose files of a repository as Docker Compose does, and names its stack."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.stack_file.env_files import read_dotenv
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.regular_files import shown_path

MAIN = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml", "compose.override.yaml",
    "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip
"""The names that Docker Compose looks for, in its order."""

DEEPEST = 3
"""Folders below the project's in which Compose files are looked for."""

NOT_OURS = frozenset({"node_modules", "vendor", "site-packages", "dist", "build", "target"})


def compose_files(root: Path, given: Sequence[str] = ()) -> list[tuple[Path, ...]]:
    """The stacks that a repository may mean, each as its Compose files in order.

    Args:
        root: The project's folder.
        given: Files that a person named; they are one stack, without the usual override file.

    Raises:
        ConfigError: If there is none, or a given one is not there.
    """
    if given:
        return [tuple(_existing(root, name) for name in given)]
    at_root = _of_dotenv(root) or _of_folder(root)
    found = [at_root] if at_root else [*filter(None, map(_of_folder, _folders(root, DEEPEST)))]
    found = found or [(path,) for path in sorted(root.glob("*compose*.y*ml"))]
    if not found:
        raise ConfigError(
            "there is no Compose file",
            source=root,
            observed=f"neither {', '.join(MAIN)} here, nor one in the folders below",
            remedy="go to the folder of your Compose file, or name it: "
            "stackproof init --file deploy/stack.yaml",
        )
    return found


def _existing(root: Path, name: str, source: str = "command line", key: str = "--file") -> Path:
    path = root / name
    if not path.is_file():
        raise ConfigError(
            f"there is no file {name}", source=source, key=key,
            remedy="name a Compose file, relative to this folder",
        )  # fmt: skip
    return path


def _of_dotenv(root: Path) -> tuple[Path, ...]:
    """The files that COMPOSE_FILE in the project's `.env` names, as `docker compose` takes it."""
    dotenv = read_dotenv(root, Interpolation({}))
    separator = dotenv.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    names = [name for name in dotenv.get("COMPOSE_FILE", "").split(separator) if name]
    return tuple(_existing(root, name, ".env", "COMPOSE_FILE") for name in names)


def _of_folder(folder: Path) -> tuple[Path, ...]:
    """The files that `docker compose` takes in a folder; none where it has none."""
    main = next((folder / name for name in MAIN if (folder / name).is_file()), None)
    if main is None:
        return ()
    override = next((folder / name for name in OVERRIDES if (folder / name).is_file()), None)
    return (main, override) if override else (main,)


def _folders(root: Path, deepest: int) -> Iterator[Path]:
    """The folders below one that may be the project's own, parents first."""
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        hidden = entry.name.startswith(".") or entry.name in NOT_OURS
        if not hidden and entry.is_dir(follow_symlinks=False):
            folder = Path(entry.path)
            if not (folder / "pyvenv.cfg").exists():
                yield folder
                if deepest > 1:
                    yield from _folders(folder, deepest - 1)


def stack_name(written: str | None, folder: Path) -> str:
    """The name of a stack: the `name:` of its file, else that of its folder.

    Args:
        written: The top-level `name` of the Compose file.
        folder: The folder of the Compose file.
    """
    for text in (written, folder.resolve().name):
        name = re.sub(r"[^a-z0-9_-]+", "-", (text or "").lower()).strip("-_")
        if name:
            return name
    return "stack"


def shown_files(root: Path, files: Sequence[Path]) -> str:
    """Compose files as a person names them, relative to the project."""
    return " + ".join(shown_path(Path(os.path.relpath(path, root))) for path in files)
