"""What the built stage of a Dockerfile says, as plain data."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch

from stackproof.stack_file.model import Healthcheck

FOLDERS = frozenset(
    "/ /bin /etc /home /lib /media /mnt /opt /root /sbin /srv /tmp /usr /usr/bin /usr/lib "
    "/usr/local /usr/local/bin /usr/local/lib /usr/local/sbin /usr/local/share /usr/sbin "
    "/usr/share /usr/src /var /var/cache /var/lib /var/log /var/spool "
    "/docker-entrypoint-initdb.d".split()
)
"""Folders that are there in every image, or in each that people copy files into."""


@dataclass(frozen=True)
class Copied:
    """One source of a COPY or ADD from the build context.

    Attributes:
        source: Path in the build context, without a leading `/`; `.` for all of it.
        target: Absolute path in the image of what the source became; for a folder, its content.
        into: Whether a file lands in `target` under its own name.
        owner: User and group that it belongs to (`--chown`); empty for root.
        unpacks: Whether an archive is unpacked there, as ADD does.
        mode: The mode that its files get (`--chmod`); empty where it stays.
    """

    source: str
    target: str
    into: bool
    owner: str = ""
    unpacks: bool = False
    mode: str = ""


@dataclass(frozen=True)
class Run:
    """One RUN instruction.

    Attributes:
        text: Its shell text, with the variables of ENV and ARG filled in.
        workdir: The folder that it runs in.
        copied: What the build context has brought so far, by way of other stages too, and the
            instruction's own bind mounts.
        environment: Of ENV and ARG, what decides about installations of Python packages.
        user: The user that it runs as; empty for root.
    """

    text: str
    workdir: str
    copied: tuple[Copied, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""


@dataclass(frozen=True)
class Image:
    """What the built stage says.

    Attributes:
        workdir: The last WORKDIR, absolute; "/" where there is none.
        environment: ENV, expanded.
        ports: EXPOSE, TCP only.
        entrypoint: ENTRYPOINT; None where there is none.
        command: CMD; None where there is none.
        copied: What comes from the build context.
        brought: The same with what comes from it by way of other stages, in order.
        user: USER; empty for root.
        base: The image that the stage, or the first of the stages below it, is built from.
        runs: RUN, in order, with those of the stages that files are copied from.
        other_bases: The images of the stages that files are copied from.
        healthcheck: HEALTHCHECK; None where there is none, or NONE.
        stop_signal: STOPSIGNAL; empty where there is none.
    """

    workdir: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    copied: tuple[Copied, ...] = ()
    brought: tuple[Copied, ...] = ()
    user: str = ""
    base: str = ""
    runs: tuple[Run, ...] = ()
    other_bases: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    stop_signal: str = ""

    @property
    def argv(self) -> tuple[str, ...]:
        """What a container runs when nothing else is asked for."""
        return (*(self.entrypoint or ()), *(self.command or ()))


class KnownFolders:
    """The folders that an image is known to have.

    Args:
        image: What is known of it so far.
    """

    def __init__(self, image: Image) -> None:
        self._paths = set(FOLDERS)
        self.add(image.workdir)
        for one in image.brought:
            if one.into or one.source == ".":
                self.add(one.target)

    def add(self, path: str) -> None:
        """Know a folder, and those that it lies in."""
        while path not in self._paths:
            self._paths.add(path)
            path = posixpath.dirname(path)

    def __contains__(self, path: str) -> bool:
        return path in self._paths


def in_context(copied: Sequence[Copied], path: str) -> Iterator[str]:
    """Where something of the image may be in the build context, the likeliest first.

    Args:
        copied: What was copied into the image.
        path: Absolute path in the image.
    """
    for item in reversed(copied):
        folder, name = posixpath.split(item.source)
        inside = posixpath.relpath(path, item.target)
        if item.into and inside == name:
            yield item.source
        if item.into and fnmatch(inside, name) and "/" not in inside:
            yield posixpath.join(folder, inside)
        elif inside != ".." and not inside.startswith("../"):
            yield posixpath.normpath(posixpath.join(item.source, inside))
