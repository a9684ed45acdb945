"""What COPY and ADD brought into an image, as overlays over the build context."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stackproof.plan.services.built_stage import Copied
from stackproof.plan.world.model import Change, Layer
from stackproof.stack_file.regular_files import real_path

SHARED = frozenset({
    "/", "/bin", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc",
    "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib",  # noqa: S108 - in the container
    "/usr/lib64", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin",
    "/usr/local/share", "/usr/sbin", "/usr/share", "/var", "/var/lib", "/var/log", "/var/run",
})  # fmt: skip
"""Folders of the system: what is copied there is laid beside what they hold, never over it."""

ChangesOf = Callable[[Copied, str, Path], tuple[Change, ...]]

MOST_ENTRIES = 500
"""Files and folders that are laid into folders of the system one by one."""


@dataclass(frozen=True)
class _Part:
    """One file or folder that COPY brought to a place."""

    target: str
    source: Path
    owner: tuple[int, int]
    is_folder: bool
    item: Copied
    is_archive: bool = False


def copied_layers(
    context: Path,
    copied: Sequence[Copied],
    owner_of: Callable[[str], tuple[int, int]],
    hidden: Sequence[str] = (),
    changes_of: ChangesOf = lambda *_: (),
) -> list[Layer]:
    """The layers that stand for what was copied, those of outer folders first.

    Args:
        context: The build context.
        copied: What was copied, in order.
        owner_of: The user and group that `--chown` names.
        hidden: Paths of the context that the builder does not get.
        changes_of: What RUN changed of the file or folder that a COPY brought to a target.
    """
    left_out = frozenset(hidden)
    every = [
        part
        for item in copied
        for part in _parts(context, item, owner_of)
        if not _is_left_out(part.source, context, left_out)
    ]
    parts = [part for part in every if not part.is_archive]
    folders = [part for part in parts if part.is_folder]
    found = [
        _layer(part, context, hidden, changes_of)
        for target in sorted({part.target for part in folders}, key=_depth)
        for part in _merged(target, folders)
    ]
    last = {part.target: at for at, part in enumerate(parts) if not part.is_folder}
    for target, at in last.items():
        if not any(_shows(part, target) for part in parts[at + 1 :] if part.is_folder):
            found.append(_layer(parts[at], context, (), changes_of))
    archives = (part for part in every if part.is_archive)
    return found + [
        replace(_layer(part, context, (), lambda *_: ()), unpacks=True) for part in archives
    ]


def _depth(target: str) -> tuple[int, str]:
    return target.rstrip("/").count("/"), target


def _parts(
    context: Path, item: Copied, owner_of: Callable[[str], tuple[int, int]]
) -> Iterator[_Part]:
    owner = owner_of(item.owner)
    for source in _sources(context, item.source):
        target = item.target
        if item.unpacks and _is_archive(source):
            yield _Part(target, source, owner, is_folder=False, item=item, is_archive=True)
            continue
        if item.into and not source.is_dir():
            target = posixpath.join(target, source.name)
        if source.is_dir() and target in SHARED:
            yield from _spread(source, target, owner, item)
        else:
            yield _Part(target, source, owner, source.is_dir(), item)


def _is_archive(source: Path) -> bool:
    import tarfile  # few Dockerfiles have an ADD, and it takes milliseconds to load

    try:
        return source.is_file() and tarfile.is_tarfile(source)
    except OSError:
        return False


def _sources(context: Path, written: str) -> Iterator[Path]:
    """What a source names in the build context; nothing of what lies outside."""
    root = real_path(context, ".")
    if "\0" in written:
        return
    found = [context / written]
    if any(letter in written for letter in "*?["):
        try:
            found = sorted(context.glob(written))
        except (OSError, ValueError, NotImplementedError):
            found = []
    for path in found[:MOST_ENTRIES]:
        real = real_path(context, str(path))
        if real.is_relative_to(root) and real.exists():
            yield real


def _spread(source: Path, target: str, owner: tuple[int, int], item: Copied) -> Iterator[_Part]:
    try:
        entries = sorted(source.iterdir())[:MOST_ENTRIES]
    except OSError:
        return
    for entry in entries:
        below, is_folder = posixpath.join(target, entry.name), entry.is_dir()
        if is_folder and below in SHARED:
            yield from _spread(entry, below, owner, item)
        else:
            yield _Part(below, entry, owner, is_folder, item)


def _merged(target: str, folders: Sequence[_Part]) -> list[_Part]:
    """The folders that are seen at a target, the lowest first; none if its parent shows them."""
    own: dict[Path, _Part] = {}
    inherited: dict[Path, None] = {}
    for part in folders:
        inside = _inside(part.target, target)
        if inside is None or not (part.source / inside).is_dir():
            continue
        source = part.source / inside
        own.pop(source, None)  # what is copied again lies above
        own[source] = _Part(target, source, part.owner, is_folder=True, item=part.item)
        if inside != ".":
            inherited.pop(source, None)
            inherited[source] = None
    return [] if list(own) == list(inherited) else list(own.values())


def _inside(folder: str, path: str) -> str | None:
    """A path relative to a folder that it is, or lies in; None for any other."""
    inside = posixpath.relpath(path, folder)
    return None if inside == ".." or inside.startswith("../") else inside


def _shows(part: _Part, target: str) -> bool:
    inside = _inside(part.target, target)
    return inside is not None and (part.source / inside).exists()


def _is_left_out(source: Path, context: Path, hidden: frozenset[str]) -> bool:
    if not source.is_relative_to(context):
        return False
    inside = source.relative_to(context)
    return any(str(path) in hidden for path in (inside, *inside.parents))


def _layer(part: _Part, context: Path, hidden: Sequence[str], changes_of: ChangesOf) -> Layer:
    below = []
    for path in hidden if part.is_folder else ():
        inside = _inside(str(part.source), str(context / path))
        if inside is not None and inside != ".":
            below.append(inside)
    return Layer(
        part.target,
        part.source,
        "overlay",
        owner=part.owner,
        hidden=tuple(below),
        changes=changes_of(part.item, part.target, part.source),
    )
