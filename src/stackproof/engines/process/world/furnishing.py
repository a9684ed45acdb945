"""What a room has beside the files of its image: programs of this machine, at their own paths."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stackproof.engines.process.python.surroundings import Surroundings
from stackproof.engines.process.world.archives import unpacked
from stackproof.engines.process.world.spec import (
    USUAL_SHM_SIZE,
    InterfaceSpec,
    MountSpec,
    RoomSpec,
    inside,
)
from stackproof.plan.model import ServicePlan
from stackproof.plan.world.model import Account, Layer, World
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder

WORLD = "world"
"""Folder of a run with what its rooms are mounted on, and what is written to their layers."""

SYSTEM = frozenset(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/dev", "/proc", "/sys")))
"""What every room has: programs of this machine, and its own devices and processes."""


@dataclass(frozen=True)
class Furniture:
    """Folders and files of this machine that a service needs, at their own paths.

    Attributes:
        programs: What it reads.
        own: What it writes to.
        seen: What it writes to at another path: path in the room → folder of this machine.
        image_files: The same where it stands for files of the image.
        users: Users that its image has, beside the usual ones: name → number.
        image: The layers of an image that was built here, the lowest first.
    """

    programs: tuple[Path, ...] = ()
    own: tuple[Path, ...] = ()
    seen: Mapping[str, Path] = field(default_factory=dict)
    image_files: Mapping[str, Path] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=dict)
    image: tuple[str, ...] = ()


def room_of(
    service: ServicePlan, world: World, run: RunFolder, furniture: Furniture, user: Account
) -> RoomSpec:
    """The room of a service.

    Args:
        service: The service.
        world: What it sees.
        run: Its run.
        furniture: What it needs of this machine.
        user: The user that it runs as.
    """
    folder = run.path / WORLD / service.name
    layers = [
        mount
        for number, layer in enumerate(world.layers)
        for mount in _mounts(layer, folder / f"layer-{number}")
    ]
    return RoomSpec(
        hostname=world.hostname,
        root=str(folder / "root"),
        interfaces=tuple(
            InterfaceSpec(one.network, one.address, one.prefix, one.gateway, one.names)
            for one in world.interfaces
        ),
        hosts=world.hosts,
        mounts=(*_brought(furniture, run), *layers),
        uid=user.uid,
        gid=user.gid,
        user=user.name or service.name,
        home=user.home,
        working_dir=world.working_dir,
        read_only=world.read_only,
        shm_size=world.shm_size or USUAL_SHM_SIZE,
        joins=world.joins,
        limits=world.limits,
        settings=world.settings,
        capabilities=world.capabilities,
        users=furniture.users,
        image=furniture.image,
    )


def _mounts(layer: Layer, place: Path) -> Iterator[MountSpec]:
    """What is mounted for one layer, and made in the run for it.

    Args:
        layer: The layer.
        place: A folder of the run for what belongs to it.
    """
    if layer.unpacks and layer.source is not None:
        yield from unpacked(layer, layer.source, place)
        return
    if layer.kind == "overlay" and layer.source is None:
        made = str(_empty(place, layer.owner))
        yield MountSpec(layer.target, made, read_only=layer.read_only, of_image=True)
        return
    is_overlay = layer.kind == "overlay"
    if layer.kind == "bind" and layer.source and layer.owner != (0, 0) and os.geteuid() == 0:
        os.chown(layer.source, *layer.owner)  # a volume that is new; others have root's
    yield MountSpec(
        target=layer.target,
        source=str(layer.source or ""),
        kind=layer.kind,
        read_only=layer.read_only,
        size=layer.size,
        upper=str(place) if is_overlay else "",
        of_image=is_overlay,
        owner=layer.owner if is_overlay else (0, 0),
        fill=layer.fill,
        changes=tuple((one.path, one.mode, *one.owner, one.deep) for one in layer.changes),
    )
    if is_overlay and layer.hidden:
        over = str(_without(layer.hidden, place.with_name(f"{place.name}-left-out")))
        upper = str(place.with_name(f"{place.name}-seen"))
        yield MountSpec(layer.target, over, "overlay", layer.read_only, upper=upper, of_image=True)


def _empty(place: Path, owner: tuple[int, int]) -> Path:
    """A new folder of a service."""
    make_folders(str(place))
    place.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(place, *owner)
    return place


def _without(hidden: Iterable[str], place: Path) -> Path:
    """A folder that takes names away from one below it, in an overlay of both.

    A character device 0:0 does so; any user may make one (overlayfs in the kernel's documentation,
    "whiteouts and opaque directories").
    """
    make_folders(str(place))
    place.chmod(0o755)
    for path in hidden:
        name = place / path
        name.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(name):
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0))
    return place


def _brought(furniture: Furniture, run: RunFolder) -> Iterator[MountSpec]:
    own = dict.fromkeys(furniture.own)
    for path in _outermost(furniture.programs):
        if path not in own:
            yield MountSpec(str(path), str(path), read_only=True)
    for path in own:
        yield MountSpec(inside(run.path, str(path)), str(path))
    for target, path in furniture.image_files.items():
        yield MountSpec(target, str(path), of_image=True)
    for target, path in furniture.seen.items():
        yield MountSpec(target, str(path))


def _outermost(paths: Iterable[Path]) -> Iterator[Path]:
    """Each folder once that is there, without those inside another, and those of the system."""
    found = {path for path in paths if path.exists()}
    for path in sorted(found):
        if not found.intersection(path.parents) and not SYSTEM & {path, *path.parents}:
            yield path


def of_python(
    around: Surroundings, world: World, extra: Mapping[str, str], caller: str
) -> Furniture:
    """What a Python service needs: its virtualenv, its interpreter, its import path.

    Args:
        around: What was made for it.
        world: What it sees already.
        extra: Variables for every service; folders that they name are written to.
        caller: The caller's import path, for stackproof's own programs.
    """
    imported = [path for path in around.imported if not world.seen_at(path)]
    imported += [Path(path) for path in caller.split(":") if path]
    programs = [around.virtualenv, *around.programs, *_interpreter(around.virtualenv), *imported]
    own = [
        Path(part)
        for value in extra.values()
        for part in value.split(":")
        if part.startswith("/") and Path(part).exists()
    ]
    folders = tuple(dict.fromkeys(_folders(own)))
    linked = [
        path.resolve() for folder in folders for path in folder.iterdir() if path.is_symlink()
    ]
    return Furniture((*programs, *linked), folders)


def _folders(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield path if path.is_dir() else path.parent


def _interpreter(virtualenv: Path) -> Iterator[Path]:
    """The installation behind a virtualenv, and projects that are linked into it.

    Source: Python's documentation of site: `.pth` files, and PEP 405: `home` of pyvenv.cfg.
    """
    yield Path(sys.base_prefix)
    python = (virtualenv / "bin" / "python").resolve()
    yield python.parent.parent
    for link in (virtualenv / "lib").glob("python*/site-packages/*.pth"):
        for line in link.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("/"):
                yield Path(line.strip())


def _is_of_system(program: Path) -> bool:
    """Whether a program, such as a shell, is looked up on PATH or is where each room has it."""
    return not program.is_absolute() or program.parent in map(Path, ("/bin", "/usr/bin"))


def of_server(
    bindir: Path, argv: Sequence[str], env: Mapping[str, str], run: RunFolder
) -> Iterator[Path]:
    """What the programs of a server are made of, as far as it is no part of the system.

    Args:
        bindir: Folder of its programs.
        argv: Its command.
        env: Its variables, which may name further folders.
        run: The run, whose own folders are none of them.
    """
    program = Path(argv[0])
    folders = [bindir] if _is_of_system(program) else [bindir, program.parent]
    yield from (one.parent for one in folders if one.name in {"bin", "sbin"})
    yield from folders
    linked = {path.resolve().parent for path in bindir.iterdir() if path.is_symlink()}
    for folder in (bindir, *linked):
        if folder.name in {"bin", "sbin"}:
            yield folder.parent
        package = folder.parent.parent
        yield package.with_name(f"{package.name}.libs")  # the libraries of a wheel's programs
    yield from (path for path in bindir.parents if path.name == "root")  # unpacked packages
    for text in (*argv, *(part for value in env.values() for part in value.split(":"))):
        path = Path(text)
        is_own = not _is_of_system(path) and run.path not in path.parents
        if is_own and os.path.exists(text):  # a script of a shell is too long for `Path.exists`
            yield path if path.is_dir() else path.parent
