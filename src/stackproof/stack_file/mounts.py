"""`volumes:` and `tmpfs:` of a service, short and long form.

Source: the Compose Specification, "volumes" and "tmpfs".
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from stackproof.stack_file.model import Mount
from stackproof.stack_file.reading.fields import Field

MOST_MOUNTS = 1000

PARTS = 3
"""Source, target and options."""

_KINDS: tuple[Literal["bind", "volume", "tmpfs"], ...] = ("bind", "volume", "tmpfs")
_WINDOWS = re.compile(r"[A-Za-z]:|\\\\")
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
    return tuple(read_mount(field, base) for field in fields)


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
    _refuse_windows(field, text)
    if len(parts) > PARTS or not all(parts):
        field.fail(f"{text!r} is not a mount", remedy="write source:/target or source:/target:ro")
    if len(parts) == 1:
        return Mount("volume", _absolute(field, parts[0]))
    options = parts[2].split(",") if len(parts) == PARTS else []
    read_only = "ro" in options
    source, target = parts[0], _absolute(field, parts[1])
    if source.startswith(_HOST_BEGINNINGS):
        return Mount("bind", target, str(host_path(source, base)), read_only)
    return Mount("volume", target, source, read_only, nocopy="nocopy" in options)


def _refuse_windows(field: Field, text: str) -> None:
    if _WINDOWS.match(text):
        field.fail(
            f"Compose reads {text!r} as a Windows path",
            remedy="write a Linux path, or give the volume a name of two letters or more",
        )


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
    kind = field.child("type").one_of(_KINDS)
    field.require(["target"])
    source = field.read("source", Field.text) or None
    if kind == "bind":
        if source is None:
            field.fail("a bind mount needs a source", remedy="add source: ./path")
        _refuse_windows(field.child("source"), source)
        source = str(host_path(source, base))
    target = field.child("target")
    return Mount(
        kind=kind,
        target=_absolute(target, target.text()),
        source=source,
        read_only=field.read("read_only", Field.boolean, default=False),
        create_host_path=field.below("bind").read("create_host_path", Field.boolean, default=True),
        size=field.below("tmpfs").read("size", Field.size),
        nocopy=field.below("volume").read("nocopy", Field.boolean, default=False),
    )
