"""COPY and ADD as a stream: one process packs what is wanted where it lies, another unpacks it.

Each does so in the room that it is about, so that links lead where the image's own would.
Source: Dockerfile reference, COPY and ADD.
"""

from __future__ import annotations

import glob
import os
import posixpath
import shutil
import stat
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

BLOCK = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """What is copied.

    Attributes:
        folder: Folder that the sources are in.
        sources: Paths in there; may be patterns.
        target: Absolute path in the image.
        into: Whether a file lands in `target` under its own name.
        owner: Numeric user and group.
        mode: Rights of all that is copied, octal; empty for their own.
        unpacks: Whether archives are unpacked.
        hidden: Paths in the folder that are left out.
        room: The room of the stage that the folder is in; None for this machine.
    """

    folder: str
    sources: Sequence[str]
    target: str
    into: bool
    owner: Sequence[int] = (0, 0)
    mode: str = ""
    unpacks: bool = False
    hidden: Sequence[str] = ()
    room: dict[str, Any] | None = None


def send(wanted: Wanted) -> None:
    """Pack what is wanted to the output; called where the folder is seen."""
    with tarfile.open(fileobj=os.fdopen(1, "wb"), mode="w|", format=tarfile.PAX_FORMAT) as stream:
        left_out = frozenset(wanted.hidden)
        for source in wanted.sources:
            found = [path for path in places(wanted.folder, source) if path not in left_out]
            if not found and not glob.has_magic(source):
                _fail(f"{source} is not there")
            for path in found:
                _send(stream, wanted, path, left_out)


def places(folder: str, source: str) -> list[str]:
    """The paths in a folder that a source names; none outside of it."""
    root = os.path.realpath(folder)
    names = [source]
    if glob.has_magic(source) and not os.path.lexists(posixpath.join(root, source)):
        names = sorted(glob.glob(source, root_dir=root, include_hidden=True))
    return [name for name in names if _inside(root, os.path.join(root, name))]


def _inside(root: str, path: str) -> bool:
    real = os.path.realpath(path)
    is_in = real == root or real.startswith(root.rstrip("/") + "/")
    return is_in and os.path.lexists(real)


def _send(stream: tarfile.TarFile, wanted: Wanted, path: str, left_out: frozenset[str]) -> None:
    real = os.path.realpath(os.path.join(wanted.folder, path))
    if wanted.unpacks and os.path.isfile(real) and tarfile.is_tarfile(real):
        with tarfile.open(real) as archive:
            for member in archive:
                data = archive.extractfile(member) if member.isreg() else None
                stream.addfile(member, data)
        return
    if not os.path.isdir(real):
        name = os.path.basename(path) if wanted.into else "."
        _add(stream, wanted, real, name)
        return
    _add(stream, wanted, real, ".")
    for name in below(real, path, left_out):
        _add(stream, wanted, os.path.join(real, name), name)


def below(folder: str, path: str, left_out: frozenset[str]) -> Iterator[str]:
    """The names of all that lies in a folder, relative to it, folders before what is in them.

    Args:
        folder: The folder.
        path: What the folder is called in `left_out`.
        left_out: Paths that are not wanted, nor what lies in them.
    """
    for where, names, found in os.walk(folder):
        inside = os.path.relpath(where, folder)
        wanted = {
            name: os.path.normpath(os.path.join(inside, name))
            for name in sorted((*names, *found))
            if os.path.normpath(os.path.join(path, inside, name)) not in left_out
        }
        names[:] = sorted(name for name in names if name in wanted)
        yield from wanted.values()


def _add(stream: tarfile.TarFile, wanted: Wanted, path: str, name: str) -> None:
    if stat.S_ISSOCK(os.lstat(path).st_mode):
        return
    member = stream.gettarinfo(path, name)
    member.uid, member.gid = wanted.owner
    member.uname = member.gname = ""
    if wanted.mode and not member.issym():
        member.mode = int(wanted.mode, 8)
    if member.islnk():  # two names of one file: both are copied
        member.type, member.size = tarfile.REGTYPE, os.stat(path).st_size
    if member.isreg():
        with open(path, "rb") as file:
            stream.addfile(member, file)
    else:
        stream.addfile(member)


def receive(wanted: Wanted) -> None:
    """Unpack the input at the target; called in the room of the image."""
    try:
        with tarfile.open(fileobj=os.fdopen(0, "rb"), mode="r|") as stream:
            for member in stream:
                _unpack(stream, member, _target(wanted, member))
    except tarfile.TarError:
        os._exit(1)  # whoever packs has said why
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}")


def _target(wanted: Wanted, member: tarfile.TarInfo) -> str:
    """Where a member goes; a file goes into the folder that is in its place."""
    is_in_place = member.name == "." and not member.isdir()
    if is_in_place and os.path.isdir(wanted.target) and not glob.has_magic(wanted.sources[0]):
        return os.path.join(wanted.target, os.path.basename(wanted.sources[0]))
    return wanted.target


def _unpack(stream: tarfile.TarFile, member: tarfile.TarInfo, target: str) -> None:
    path = os.path.normpath(os.path.join(target, member.name))
    if member.isdir():
        if os.path.isdir(path):  # a folder that is there stays as it is
            return
        os.makedirs(path, 0o755)
    else:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        _make_way(path, is_link=member.issym())
        if member.issym():
            os.symlink(member.linkname, path)
        elif member.islnk():
            os.link(os.path.join(target, member.linkname), path)
        else:
            data = stream.extractfile(member)
            if data is None:
                return
            with open(path, "wb") as file:
                shutil.copyfileobj(data, file, BLOCK)
    os.chown(path, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        os.chmod(path, stat.S_IMODE(member.mode))
        os.utime(path, (member.mtime, member.mtime))


def _make_way(path: str, *, is_link: bool) -> None:
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
    elif is_link and os.path.isdir(path):
        shutil.rmtree(path)


def _fail(what: str) -> NoReturn:
    os.write(2, f"stackproof: COPY: {what}\n".encode())
    os._exit(1)
