"""Builds an image: its stages one by one, each step a layer in the cache, keyed by content."""

from __future__ import annotations

import json
import posixpath
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key
from stackproof.engines.process.builds.bases import base_layers
from stackproof.engines.process.builds.caller import Caller
from stackproof.engines.process.builds.inputs import context_digest
from stackproof.engines.process.builds.names import users_of
from stackproof.engines.process.builds.shims import PLACE, shims
from stackproof.engines.process.builds.system_packages import package_layer
from stackproof.engines.process.images import Runner, Step
from stackproof.engines.process.world.spec import MountSpec, RoomSpec
from stackproof.errors import CommandFailed
from stackproof.plan.builds.model import SYSTEM_PATH, Bound, Copy, Folder, Recipe, Run, Stage
from stackproof.plan.services.dockerignore import hidden_paths
from stackproof.plan.world.model import Account
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.removal import remove_tree
from stackproof.stack_file.regular_files import shown_path

FORMAT = 1
"""Counted up whenever layers are made in another way."""

GO_CACHE = "/run/stackproof/go-build"
"""Where rooms of builds have what Go has compiled; Go tells by content what fits."""

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from stackproof.engines.process.builds.work import main; main()"
)


@dataclass(frozen=True)
class BuiltImage:
    """An image that is ready.

    Attributes:
        layers: Its layers, the lowest first.
        notices: What a person should know of it.
    """

    layers: tuple[Path, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Made:
    """A stage that is built: its layers, and the key of all that has made them."""

    layers: tuple[Path, ...]
    key: str


@dataclass
class Builder:
    """Builds the image of one service.

    Attributes:
        service: Name of the service.
        recipe: Its stages.
        cache: The configured cache folder.
        place: A folder of the run for what is being made.
        runner: Runs a preparation.
        caller: What the build gets of the caller.
    """

    service: str
    recipe: Recipe
    cache: Path
    place: Path
    runner: Runner
    caller: Caller
    notices: dict[str, None] = field(default_factory=dict)

    def build(self) -> BuiltImage:
        """Build the stages; what has been built before is taken as it is.

        Raises:
            CommandFailed: If a step fails, with its line and its last output.
            EngineUnavailable: If a base, or a package, can't be had.
        """
        made: dict[str, _Made] = {}
        for stage in self.recipe.stages:
            made[stage.name] = self._stage(stage, made)
        return BuiltImage(made[self.recipe.stages[-1].name].layers, tuple(self.notices))

    @property
    def shelf(self) -> Path:
        """The folder of all layers."""
        return self.cache / "builds"

    def _stage(self, stage: Stage, made: Mapping[str, _Made]) -> _Made:
        if stage.base is None:
            current = made[stage.below]
        else:
            base = base_layers(stage, self.shelf, self.cache, self.runner)
            self.notices |= dict.fromkeys(f"{self.service}: {one}" for one in base.notices)
            current = _Made(base.layers, content_key(FORMAT, base.identity))
        for step in stage.steps:
            if isinstance(step, Folder):
                current = self._folder(step, current)
            elif isinstance(step, Copy):
                current = self._copy(step, current, made)
            else:
                current = self._run(step, current, made)
        return current

    def _layer(self, key: str, fill: partial[None]) -> Path:
        return cached_folder(self.shelf / f"layer-{key}", fill)

    def _folder(self, step: Folder, current: _Made) -> _Made:
        """Make a folder that is not root's; root's are made by what comes next."""
        if not step.user:
            return current
        owner = self._ids(step.user)
        text = '[ -d "$1" ] || { mkdir -p "$1" && chown "$2" "$1"; }'
        argv = ("/bin/sh", "-c", text, "sh", step.path, f"{owner[0]}:{owner[1]}")
        written = f"WORKDIR {step.path}"
        return self._run(Run(step.line, written, argv), current, {})

    def _run(self, step: Run, current: _Made, made: Mapping[str, _Made]) -> _Made:
        if step.packages:
            current = self._packages(step, current)
        bound = [self._input(one.stage, (one.source,), made) for one in _binds(step)]
        key = content_key(
            current.key, "run", step.argv, dict(step.environment), step.workdir, step.user,
            [vars(one) for one in step.bound], bound,
        )  # fmt: skip
        path = self._layer(key, partial(self._do_run, step, current, made))
        return _Made((*current.layers, path), key)

    def _packages(self, step: Run, current: _Made) -> _Made:
        found = package_layer(step.packages, self.shelf, self.cache, self.runner)
        if found.notice:
            self.notices[f"{self.service}: {found.notice}"] = None
        if found.layer is None or found.layer in current.layers:
            return current
        return _Made((*current.layers, found.layer), content_key(current.key, found.layer.name))

    def _copy(self, step: Copy, current: _Made, made: Mapping[str, _Made]) -> _Made:
        inputs = self._input(step.stage, step.sources, made)
        owner = self._ids(step.owner)
        about = (step.sources, step.target, step.into, owner, step.mode, step.unpacks)
        key = content_key(current.key, "copy", about, inputs)
        path = self._layer(key, partial(self._do_copy, step, current, made))
        return _Made((*current.layers, path), key)

    def _input(self, stage: str, sources: tuple[str, ...], made: Mapping[str, _Made]) -> str:
        """What decides about what is copied or bound."""
        if stage:
            return made[stage].key
        build = self.recipe.build
        return context_digest(build.context, sources, frozenset(hidden_paths(build)))

    def _ids(self, written: str) -> tuple[int, int]:
        return self.recipe.accounts.ids(written) or (0, 0)

    def _do_run(self, step: Run, current: _Made, made: Mapping[str, _Made], draft: Path) -> None:
        user = self.recipe.accounts.account(step.user)[0]
        copies = self.place / f"{secrets.token_hex(8)}-caller"
        mounts = [
            *self.caller.mounts_for(user, copies),
            MountSpec(PLACE, str(shims(self.shelf)), read_only=True),
            MountSpec(GO_CACHE, self._kept("go-build")),
            *(self._bound(one, made) for one in step.bound),
        ]
        environment = {
            "PATH": SYSTEM_PATH,
            "HOME": user.home,
            "GOCACHE": GO_CACHE,
            **self.caller.environment,
            **step.environment,
        }
        environment["PATH"] = f"{PLACE}:{environment['PATH']}"
        room = self._room(current, mounts, user, step.workdir)
        order = {"run": {"argv": step.argv, "env": environment, "cwd": step.workdir}}
        try:
            self._do(step.written, step.line, room, order, draft)
        finally:
            remove_tree(str(copies))

    def _bound(self, bound: Bound, made: Mapping[str, _Made]) -> MountSpec:
        if bound.kind == "tmpfs":
            return MountSpec(bound.target, kind="tmpfs")
        if bound.kind == "cache":
            return MountSpec(bound.target, self._kept(content_key(bound.name)))
        if not bound.stage:
            return MountSpec(bound.target, str(self.recipe.build.context / bound.source),
                             read_only=True)  # fmt: skip
        copied = Copy(0, "COPY", (bound.source,), "/bound", into=False, stage=bound.stage)
        held = self._copy(copied, _Made((), content_key(FORMAT, "bound")), made)
        return MountSpec(bound.target, f"{held.layers[0]}/files/bound", read_only=True)

    def _kept(self, name: str) -> str:
        """A folder that builds share; whoever runs a step may write to it, and nobody outside."""
        folder = self.shelf / "kept" / name
        make_folders(str(folder))
        folder.parent.chmod(0o700)
        folder.chmod(0o777)
        return str(folder)

    def _do_copy(self, step: Copy, current: _Made, made: Mapping[str, _Made], draft: Path) -> None:
        build = self.recipe.build
        order: dict[str, object] = {
            "folder": str(build.context),
            "sources": step.sources,
            "target": step.target,
            "into": step.into,
            "owner": self._ids(step.owner),
            "mode": step.mode,
            "unpacks": step.unpacks,
        }
        if step.stage:
            order |= {"folder": "/", "room": self._room(made[step.stage], [], None, "/").to_json()}
        else:
            order["hidden"] = hidden_paths(build)
        room = self._room(current, [], None, "/")
        self._do(step.written, step.line, room, {"copy": order}, draft)

    def _room(
        self, current: _Made, mounts: list[MountSpec], user: Account | None, workdir: str
    ) -> RoomSpec:
        account = user or Account(name="root", home="/root")
        return RoomSpec(
            hostname="build",
            root=str(self.place / f"{secrets.token_hex(8)}-room"),
            mounts=tuple(mounts),
            uid=account.uid,
            gid=account.gid,
            user=account.name or "build",
            home=account.home,
            working_dir=workdir,
            users=users_of(self.recipe.accounts),
            image=tuple(map(str, current.layers)),
            builds=True,
        )

    def _do(
        self, what: str, line: int, room: RoomSpec, order: Mapping[str, object], draft: Path
    ) -> None:
        """Do a step in a room of its own; what it has written becomes the layer."""
        self.place.mkdir(parents=True, exist_ok=True)
        layer = self.place / f"{secrets.token_hex(8)}-layer"
        made = [mount.target for mount in room.mounts]
        made += [parent for path in list(made) for parent in _parents(path, room.home)]
        whole = {"what": what, "room": room.to_json(), "layer": str(layer), "made": made, **order}
        source = str(Path(__file__).parents[4])
        argv = (sys.executable, "-I", "-S", "-c", _BOOT, source)
        name = f"{self.service}, {what}"
        try:
            self.runner(Step(name, argv, stdin=json.dumps(whole)))
            self._move(layer, draft)
        except CommandFailed as error:
            raise CommandFailed(
                f"{self.service} could not be built: line {line} of {self._dockerfile()}, "
                f"`{what}`, failed with status {error.exit_code}",
                exit_code=error.exit_code,
                output=error.output,
                remedy="see the lines above; `--engine compose` builds it in containers",
            ) from error
        finally:
            remove_tree(room.root)
            remove_tree(str(layer))

    def _dockerfile(self) -> str:
        build = self.recipe.build
        inline = build.dockerfile_inline is not None
        return "dockerfile_inline" if inline else shown_path(build.context / build.dockerfile)

    def _move(self, layer: Path, draft: Path) -> None:
        """Move a layer into the cache, which may be on another file system."""
        for entry in layer.iterdir():
            try:
                entry.rename(draft / entry.name)
            except OSError:
                copying = ("cp", "-a", str(entry), str(draft))
                self.runner(Step(f"{self.service}, keeping a layer", copying))


def _parents(path: str, home: str) -> Iterator[str]:
    """Folders that were made for the place of a mount in a home."""
    parent = posixpath.dirname(path)
    while parent.startswith(f"{home}/"):
        yield parent
        parent = posixpath.dirname(parent)


def _binds(step: Run) -> list[Bound]:
    return [one for one in step.bound if one.kind == "bind"]
