"""The file system of one service in a private world: what its image, volumes and mounts give it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from stackproof.plan.mounts.model import PlannedMount
from stackproof.plan.services.drafts import Draft
from stackproof.plan.services.folders import Folders
from stackproof.plan.world.accounts import Accounts
from stackproof.plan.world.changed import Changes
from stackproof.plan.world.copied import copied_layers
from stackproof.plan.world.made_folders import MadeFolders, made_folders
from stackproof.plan.world.model import Layer
from stackproof.stack_file.model import Build

_UID = re.compile(r"(?:^|,)uid=(\d{1,9})(?:,|$)")
_GID = re.compile(r"(?:^|,)gid=(\d{1,9})(?:,|$)")


@dataclass(frozen=True)
class Files:
    """What the files of a service come from.

    Attributes:
        draft: The service.
        folders: Where its volumes and mounts are on this machine.
        outside: Its mounts from outside the run, with what becomes of each.
        accounts: The users of its image.
        hidden: The paths of a build context that its builder does not get.
    """

    draft: Draft
    folders: Folders
    outside: Sequence[PlannedMount]
    accounts: Accounts
    hidden: Callable[[Build], Sequence[str]]

    def layers(self) -> tuple[Layer, ...]:
        """The layers, those of the image below those of its mounts."""
        made = made_folders(self.draft.image, self.accounts)
        if self.draft.runtime and self.draft.runtime.kind == "build":  # its build makes its files
            return tuple(sorted([*self._mounts(made), *self._memory()], key=_depth))
        image = [*self._image(), *self._project()]
        mounted = [*self._mounts(made), *self._memory()]
        taken = {layer.target for layer in (*image, *mounted)}
        empty = [
            Layer(path, None, "overlay", owner=made.owner_of(path))
            for path in made.made
            if path not in taken and not _lies_in(path, image)
        ]
        return tuple(sorted([*empty, *image], key=_depth)) + tuple(sorted(mounted, key=_depth))

    def _image(self) -> list[Layer]:
        build, image = self.draft.service.build, self.draft.image
        if build is None or image is None:
            return []

        def owner_of(written: str) -> tuple[int, int]:
            return self.accounts.ids(written) or (0, 0)

        changes = Changes(image, self.accounts)
        return copied_layers(build.context, image.brought, owner_of, self.hidden(build), changes.of)

    def _project(self) -> Iterator[Layer]:
        """A project that no Dockerfile lays out: it stays where it is on this machine."""
        runtime = self.draft.runtime
        if runtime is None or self.draft.image is not None or runtime.project is None:
            return
        yield Layer(str(runtime.project), runtime.project, "overlay")

    def _mounts(self, made: MadeFolders) -> Iterator[Layer]:
        decided = {mount.target: mount for mount in self.outside}
        read_only = {mount.target for mount in self.draft.service.mounts if mount.read_only}
        filled = {
            mount.target
            for mount in self.draft.service.mounts
            if mount.kind == "volume" and not mount.nocopy
        }
        for target, path in self.folders.mounts.items():
            if target in self.folders.in_memory:
                continue
            known = decided.get(target)
            is_kept = known is not None and known.action != "fresh"
            owner = (0, 0) if is_kept else made.owner_of(target)
            closed = target in read_only or bool(known and known.action == "keep")
            fill = target in filled and not is_kept
            yield Layer(target, path, "bind", read_only=closed, owner=owner, fill=fill)

    def _memory(self) -> Iterator[Layer]:
        for target, options in self.folders.in_memory.items():
            uid, gid = _UID.search(options), _GID.search(options)
            yield Layer(
                target,
                None,
                "tmpfs",
                size=self.folders.sizes.get(target, ""),
                owner=(int(uid[1]) if uid else 0, int(gid[1]) if gid else 0),
            )


def _lies_in(path: str, layers: Sequence[Layer]) -> bool:
    """Whether a folder is among the files of a layer already."""
    for layer in layers:
        if layer.source is not None and (path + "/").startswith(layer.target.rstrip("/") + "/"):
            inside = path[len(layer.target.rstrip("/")) :].strip("/")
            if (layer.source / inside).is_dir():
                return True
    return False


def _depth(layer: Layer) -> int:
    """Outer folders first; those of one target stay in their order."""
    return layer.target.rstrip("/").count("/")
