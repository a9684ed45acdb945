"""Where the files of a service are on this machine: its mounts, volumes and image folders."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.plan.mounts.model import PlannedMount
from stackproof.plan.services.drafts import Draft
from stackproof.stack_file.regular_files import real_path

_SIZE = re.compile(r"(?:^|,)size=([^,]+)")


@dataclass(frozen=True)
class Folders:
    """The files of one service.

    Attributes:
        paths: Container path to path on this machine.
        created: Folders of the run that must be made, with the container path of each.
        mounts: The part of `paths` that comes from volumes and mounts.
        sizes: Container path of a tmpfs to what it may hold, as tmpfs(5) takes it.
        in_memory: Container path of each tmpfs to its further options.
    """

    paths: Mapping[str, Path]
    created: Mapping[Path, str]
    mounts: Mapping[str, Path]
    sizes: Mapping[str, str]
    in_memory: Mapping[str, str]


def folders_of(draft: Draft, run_folder: Path, outside: Sequence[PlannedMount]) -> Folders:
    """The container paths of a service and what stands for each.

    Args:
        draft: The service.
        run_folder: The temporary folder of the run, which named volumes and tmpfs go into.
        outside: Its mounts from outside the run, with what becomes of each.
    """
    created: dict[Path, str] = {}
    mounts: dict[str, Path] = {}
    for target, path, is_new in _mounts(draft, run_folder, outside):
        mounts[target] = path
        if is_new:
            created[path] = target
    paths = {**dict(_image_paths(draft)), **mounts}
    in_memory = dict(_in_memory(draft))
    sizes = {
        target: size[1] for target, options in in_memory.items() if (size := _SIZE.search(options))
    }
    return Folders(paths, created, mounts, sizes, in_memory)


def _in_memory(draft: Draft) -> Iterator[tuple[str, str]]:
    """The tmpfs mounts of a service with their options, long and short form."""
    for mount in draft.service.mounts:
        if mount.kind == "tmpfs":
            yield mount.target, f"size={mount.size}" if mount.size else ""
    for written in draft.service.tmpfs:
        target, _, options = written.partition(":")
        yield target, options


def _mounts(
    draft: Draft, run_folder: Path, outside: Sequence[PlannedMount]
) -> Iterator[tuple[str, Path, bool]]:
    decided = {mount.target: mount for mount in outside}
    for mount in draft.service.mounts:
        own = f"{mount.owner or draft.name}-{_slug(mount.target)}"
        known = decided.get(mount.target)
        if mount.content is not None:
            yield mount.target, granted_file(run_folder, draft.name, mount.target), False
        elif known is not None and known.action != "fresh":
            yield mount.target, Path(known.source), False  # a copy is mounted over its source
        elif known is not None and known.kind == "bind":
            if not _is_data(draft, mount.target):
                yield mount.target, run_folder / "data" / known.key, True
        elif mount.kind == "volume":
            if not _is_data(draft, mount.target):  # a native server has a data folder of its own
                yield mount.target, run_folder / "data" / (mount.source or own), True
        else:
            yield mount.target, run_folder / "tmp" / own, True
    yield from _declared_data(draft, run_folder)
    for written in draft.service.tmpfs:
        target = written.partition(":")[0]
        yield target, run_folder / "tmp" / f"{draft.name}-{_slug(target)}", True


def granted_file(run_folder: Path, service: str, target: str) -> Path:
    """The file of a run that stands for a secret or config which is none of this machine's.

    Args:
        run_folder: The run folder.
        service: The service that may read it.
        target: Where the service sees it.
    """
    return run_folder / "granted" / f"{service}-{_slug(target)}"


def _declared_data(draft: Draft, run_folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """Paths that `x-stackproof` calls data, and that are in no mount."""
    mounted = [mount.target for mount in draft.service.mounts]
    for path in draft.extension.data:
        if not any((path + "/").startswith(target + "/") for target in mounted):
            yield path, run_folder / "data" / f"{draft.name}-{_slug(path)}", True


def _is_data(draft: Draft, target: str) -> bool:
    return draft.known is not None and draft.known.keeps(target)


def _slug(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.strip("/")) or "root"


def _image_paths(draft: Draft) -> Iterator[tuple[str, Path]]:
    """What COPY brought into the image, and its working folder where the layout is kept."""
    build, image = draft.service.build, draft.image
    if build is None or image is None:
        return
    keeps_layout = False
    for copied in image.copied:
        source = real_path(build.context, "./" + copied.source)
        if re.search(r"[*?\[]", copied.source) or not source.exists():
            continue
        target = copied.target
        if copied.into and source.is_file():
            target = posixpath.join(target, source.name)
        inside = posixpath.relpath(target, image.workdir)
        keeps_layout = keeps_layout or inside == posixpath.normpath(copied.source)
        yield target, source
    if keeps_layout:
        yield image.workdir, build.context
