"""`volumes:` and `tmpfs:` of a service, short and long form.

Source: the Compose Specification, "volumes" and "tmpfs".
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stackproof.stack_file.fields import Field
from stackproof.stack_file.model import Mount

MOST_MOUNTS = 1000

PARTS = 3
"""Source, target and options."""

_HOST_BEGINNINGS = (".", "/", "~")


def read_mounts(fields: Sequence[Field], base: Path) -> tuple[Mount, ...]:
    """All entries of `volumes:` of a service.

    Args:
        fields: The entries.
        base: What relative paths are resolved against.

    Raises:
        ConfigError: If one is none, or if there are so many that looking for their paths in the
            service's texts would take long.
    """
    if len(fields) > MOST_MOUNTS:
        fields[MOST_MOUNTS].fail(
            f"a service can't have more than {MOST_MOUNTS} mounts",
            remedy="mount the folder above them",
        )
    return tuple(read_mount(one, base) for one in fields)


def read_mount(field: Field, base: Path) -> Mount:
    """One entry of `volumes:`.

    Args:
        field: The entry.
        base: What relative paths are resolved against.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(field.value, dict):
        mount, written = _long(field, base), field.value.get("source")
        text = "" if written is None or written.value is None else str(written.value)
    else:
        mount = _short(field, field.text(), base)
        text = field.text().partition(":")[0] if mount.source else ""
    return replace(mount, written=text, where=field.node.where)


def _short(field: Field, text: str, base: Path) -> Mount:
    parts = text.split(":")
    if len(parts) > PARTS or not all(parts):
        field.fail(f"{text!r} is not a mount", remedy="write source:/target or source:/target:ro")
    if len(parts) == 1:
        return Mount("volume", _absolute(field, parts[0]))
    if len(parts[0]) == 1 and parts[0].isalpha():
        field.fail(
            f"Compose reads {parts[0]}: as a drive of Windows",
            remedy="give the volume a name of two letters or more",
        )
    read_only = len(parts) == PARTS and "ro" in parts[2].split(",")
    source, target = parts[0], _absolute(field, parts[1])
    if source.startswith(_HOST_BEGINNINGS):
        return Mount("bind", target, str(host_path(source, base)), read_only)
    return Mount("volume", target, source, read_only)


def _absolute(field: Field, target: str) -> str:
    if not target.startswith("/"):
        field.fail(
            f"the mount's target {target!r} is not an absolute path",
            remedy="write source:/target; a source in this folder begins with ./",
        )
    return posixpath.normpath("/" + target.lstrip("/"))


def host_path(text: str, base: Path) -> Path:
    """A path of this machine as Compose resolves it: no symbolic link is followed."""
    if text.startswith("~"):
        home = os.path.expanduser("~")  # noqa: PTH111 - pathlib's raises where there is none
        return Path(os.path.normpath(Path(home) / text[1:].lstrip("/")))
    return Path(os.path.normpath(base / text))


def _long(field: Field, base: Path) -> Mount:
    parts = field.mapping()
    kind = parts["type"].text()
    if kind not in {"bind", "volume", "tmpfs"}:
        parts["type"].fail(f"the mount type {kind!r} is not supported",
                           remedy="write bind, volume or tmpfs")  # fmt: skip
    if "target" not in parts:
        field.fail("a mount needs a target", remedy="add target: /path")
    source = parts["source"].text() or None if "source" in parts else None
    if kind == "bind":
        if source is None:
            field.fail("a bind mount needs a source", remedy="add source: ./path")
        source = str(host_path(source, base))
    size, create = None, True
    if "tmpfs" in parts and "size" in parts["tmpfs"].mapping():
        size = parts["tmpfs"].mapping()["size"].size()
    if "bind" in parts and "create_host_path" in parts["bind"].mapping():
        create = parts["bind"].mapping()["create_host_path"].boolean()
    return Mount(
        kind=kind,  # type: ignore[arg-type] # checked above
        target=_absolute(parts["target"], parts["target"].text()),
        source=source,
        read_only="read_only" in parts and parts["read_only"].boolean(),
        create_host_path=create,
        size=size,
    )
