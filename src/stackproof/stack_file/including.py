"""`include:`: other Compose files, each with its own project folder and variables.

Source: the Compose Specification, "Include": what an included file has is added as it is; the same
name for something else is an error; a file that is merged later may change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stackproof.stack_file.env_files import read_dotenv
from stackproof.stack_file.env_format import parse_env_text
from stackproof.stack_file.extending import rebased
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.nodes import Node
from stackproof.stack_file.regular_files import read_text_file, shown_path

KEYS = ("path", "project_directory", "env_file")
"""Of an entry in its long form."""

PARTS = ("services", "volumes", "networks", "secrets", "configs")
"""What an included file adds to."""


@dataclass(frozen=True)
class Included:
    """One entry of `include`.

    Attributes:
        field: Where it is written.
        paths: Its files; later ones are merged over earlier ones.
        folder: Its project folder.
        variables: What its files are interpolated with.
    """

    field: Field
    paths: tuple[Path, ...]
    folder: Path
    variables: Interpolation


def included(root: Field, folder: Path, variables: Interpolation) -> Iterator[Included]:
    """What a file includes.

    Args:
        root: The file.
        folder: What its relative paths are resolved against.
        variables: Its own variables, which are stronger than those of what it includes.

    Raises:
        ConfigError: If a file does not exist.
    """
    for field in root.items("include"):
        is_short = not isinstance(field.value, dict)
        if not is_short:
            field.refuse_unknown(KEYS)
            field.require(["path"])
        written = [field] if is_short else field.child("path").entries()
        paths = tuple(_existing(path, folder) for path in written)
        own = None if is_short else field.read("project_directory", Field.text)
        below = host_path(own, folder) if own else paths[0].parent
        files = None if is_short else field.get("env_file")
        read = _env_files(files, folder, variables) if files else read_dotenv(below, variables)
        stronger = {**read, **variables.environment}
        yield Included(field, paths, below, variables.beside(stronger))


def _existing(field: Field, folder: Path) -> Path:
    path = host_path(field.text(), folder)
    if not path.is_file():
        field.fail(
            f"the included file {shown_path(path)} does not exist",
            remedy=f"write a path relative to {folder}",
        )
    return path


def _env_files(files: Field, folder: Path, variables: Interpolation) -> dict[str, str]:
    found: dict[str, str] = {}
    for field in files.entries():
        path = host_path(field.text(), folder)
        try:
            text = read_text_file(path, any_line_ends=True)
        except OSError as error:
            field.fail(
                f"the env_file {shown_path(path)} can't be read: {error.strerror}",
                remedy="name a text file of KEY=value lines",
            )
        found |= parse_env_text(text, path, variables, found)
    return found


def with_included(root: Node, entry: Included, other: Node) -> Node:
    """A file with what an entry of its `include` adds.

    Args:
        root: The file so far.
        entry: The entry.
        other: The files of the entry, merged.

    Raises:
        ConfigError: If a name is there already, for something else.
    """
    added = dict(root.value)
    for part in PARTS:
        more = _named(other, part)
        known = _named(root, part)
        for name in more:
            if name in known and _plain(known[name]) != _plain(more[name]):
                entry.field.fail(
                    f"{name!r} is under {part} of {entry.paths[0].name}, and of another file too",
                    remedy="give one of them another name, or change it in a file that is merged "
                    "later, such as compose.override.yaml",
                )
        if more:
            moved = {name: _moved(part, node, entry.folder) for name, node in more.items()}
            below = root.value.get(part) or other.value[part]
            added[part] = replace(below, value={**known, **moved})
    return replace(root, value=added)


def _plain(node: Node) -> object:
    return Field(node, "").plain()


def _named(root: Node, part: str) -> Mapping[str, Node]:
    node = root.value.get(part)
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _moved(part: str, node: Node, folder: Path) -> Node:
    """The same with absolute paths, since they belong to another folder."""
    if not isinstance(node.value, dict):
        return node
    if part == "services":
        return rebased(node, folder)
    file = node.value.get("file") if part in {"secrets", "configs"} else None
    if file is None or not isinstance(file.value, str):
        return node
    return replace(
        node, value={**node.value, "file": replace(file, value=str(host_path(file.value, folder)))}
    )
