"""Decides for each mount: as it is, an empty place of the run, a copy, shared, or refused.

Pure but for one look at what a source is. Both engines follow it, in the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NoReturn

from stackproof.errors import ConfigError, Mistakes
from stackproof.plan.mounts.data_paths import DataPaths, is_unmistakable
from stackproof.plan.mounts.model import PlannedMount, UndecidedMount
from stackproof.plan.mounts.sources import (
    LIVE,
    SOCKETS,
    Kind,
    is_below,
    mount_from_outside,
)
from stackproof.settings.model import Settings
from stackproof.stack_file.model import Mount, Service, StackFile
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.reading.suggestion import did_you_mean

INIT_FOLDER = "/docker-entrypoint-initdb.d"
"""Start-up files of database images: only read, by stackproof itself on the process engine."""

_SETTING = "`mounts` in the stack config"


@dataclass(frozen=True)
class Project:
    """What decides about mounts beside the stack file.

    Attributes:
        settings: The settings; of these the root, and `mounts`: source, volume or service:/target,
            to `share`, `copy` or `refuse`.
        engine: `process` or `compose`.
        own: Folders that stackproof itself has named, such as that of the cassettes.
        look: What a path of this machine is.
    """

    settings: Settings
    engine: str
    own: frozenset[str]
    look: Callable[[str], Kind]


def decide_mounts(
    stack_file: StackFile,
    servers: Mapping[str, DataPaths | None],
    project: Project,
) -> dict[str, tuple[PlannedMount, ...]]:
    """What the mounts of services become; those that are the run's own anyway are left out.

    Args:
        stack_file: Where they stand.
        servers: The services that are planned, with the data paths of those that are servers.
        project: What else decides.

    Raises:
        ConfigError: If a mount is refused, or a setting can't be honoured.
    """
    work = _Deciding(stack_file, servers, project)
    work.refuse_unknown_settings()
    found, mistakes = {}, Mistakes()
    for name in servers:
        with mistakes.noted():
            found[name] = list(work.service(stack_file.services[name]))
    mistakes.refuse()
    sources: dict[tuple[str, object], list[PlannedMount]] = {}
    for mount in (mount for mounts in found.values() for mount in mounts):
        if mount.action in {"fresh", "copy"}:
            sources.setdefault((mount.kind, mount.source), []).append(mount)
    by_action = {key: _strictness(same) for key, same in sources.items()}
    return {
        name: tuple(_linked(mount, by_action.get((mount.kind, mount.source))) for mount in mounts)
        for name, mounts in found.items()
    }


def _strictness(
    same: Sequence[PlannedMount],
) -> tuple[Literal["fresh", "copy"], bool]:
    """What the run has in the place of a source, and whether one mount would refuse otherwise."""
    action: Literal["fresh", "copy"] = (
        "fresh" if any(mount.action == "fresh" for mount in same) else "copy"
    )
    return action, any(mount.otherwise == "refuse" for mount in same if mount.action == action)


def _linked(
    mount: PlannedMount, source: tuple[Literal["fresh", "copy"], bool] | None
) -> PlannedMount:
    """All services see the same of one source: what the run has in its place."""
    if mount.action == "share" or source is None:
        return mount
    action, strict = source
    otherwise = "refuse" if strict else mount.otherwise
    if mount.action == "keep":
        otherwise = "read_only"
    return replace(mount, action=action, otherwise=otherwise)


class _Deciding:
    def __init__(
        self, stack_file: StackFile, servers: Mapping[str, DataPaths | None], project: Project
    ) -> None:
        self.stack_file = stack_file
        self.servers = servers
        self.project = project
        self.root = str(project.settings.root.resolve())

    def refuse_unknown_settings(self) -> None:
        known: dict[str, None] = {}
        for service in self.stack_file.services.values():
            for mount in service.mounts:
                names = (mount.written, mount.source, f"{service.name}:{mount.target}")
                known |= dict.fromkeys(name for name in names if name)
        paths = {self.path_of(source) for source in known}
        for key in self.project.settings.mounts:
            if key not in known and self.path_of(key) not in paths:
                shown = [
                    source
                    for source in known
                    if source.startswith(".") or not source.startswith("/")
                ]
                raise self.project.settings.refusal(
                    ("mounts", key),
                    f"no service mounts {key}",
                    remedy=did_you_mean(key, shown or known),
                )

    def path_of(self, key: str) -> str:
        """A key as a path, where it can be one, so that ./uploads/ is ./uploads."""
        is_path = key.startswith((".", "/", "~"))
        return str(host_path(key, self.stack_file.project_directory)) if is_path else key

    def service(self, service: Service) -> Iterator[PlannedMount]:
        for mount in service.mounts:
            found = mount_from_outside(self.stack_file, mount)
            if found is not None:
                yield _Decision(self, service, mount, found).decide()


class _Decision:
    """The decision on one mount from outside."""

    def __init__(
        self, whole: _Deciding, service: Service, mount: Mount, about: PlannedMount
    ) -> None:
        self.project = whole.project
        self.service = service
        self.mount = mount
        server = whole.servers[service.name]
        self.is_server = server is not None
        volume = whole.stack_file.volumes.get(mount.source or "")
        self.is_external = bool(volume and volume.external)
        is_data = server.touches(about.target) if server else is_unmistakable(about.target)
        self.kind = whole.project.look(about.source) if about.kind == "bind" else "folder"
        key = f"{service.name}:{mount.target}"
        keys = [
            setting
            for setting in whole.project.settings.mounts
            if setting in {key, mount.written, mount.source}
            or whole.path_of(setting) == about.source
        ]
        self.setting = keys[0] if keys else ""
        self.wanted = whole.project.settings.mounts[keys[0]] if keys else ""
        if not keys and about.source in whole.project.own:
            self.wanted = "share"
        self.is_inside = about.kind == "bind" and is_below(
            str(Path(about.source).resolve()) if self.kind != "missing" else about.source,
            (whole.root, str(whole.project.settings.root)),
        )
        self.about = replace(
            about, is_data=is_data, is_file=self.kind == "file", asked=self.setting
        )

    def decide(self) -> PlannedMount:
        """What the mount becomes.

        Raises:
            ConfigError: If it is refused, or a setting can't be honoured.
        """
        if self.wanted == "refuse":
            self._refuse("the stack config refuses it", "remove it from the stack file")
        if self.kind == "special":
            return self._special()
        if self.about.read_only and self.kind != "missing" and self.wanted != "copy":
            return self.about
        if self.about.is_data and not self.about.read_only and self.kind != "file":
            return self._data()
        if self.kind == "missing":
            return self._missing()
        return self._files()

    def _files(self) -> PlannedMount:
        """Files that are there, and that no server keeps its data in."""
        if self.about.kind == "volume" and not (self.is_external and self._is_compose):
            return self._out_of_reach()
        if self.wanted == "share":
            return replace(self.about, action="share")
        if self._is_read_by_stackproof():
            return self.about
        return replace(self.about, action="copy", otherwise=self._otherwise())

    @property
    def _is_compose(self) -> bool:
        return self.project.engine == "compose"

    def _otherwise(self) -> Literal["share", "read_only", "refuse"]:
        if self.wanted == "copy":
            return "refuse"
        if self.is_server:
            return "read_only" if self._is_compose else "refuse"
        return "share" if self.is_inside else "refuse"

    def _is_read_by_stackproof(self) -> bool:
        return (
            not self._is_compose and self.is_server and is_below(self.about.target, (INIT_FOLDER,))
        )

    def _data(self) -> PlannedMount:
        if self.setting:
            self._not_honoured("a second server on the same data destroys them, and a copy of the "
                               "data of a running one is broken")  # fmt: skip
        return replace(self.about, action="fresh")

    def _special(self) -> PlannedMount:
        if self.wanted == "share":
            return replace(self.about, action="share", read_only=False)
        if self.wanted == "copy":
            self._not_honoured("it is a socket, a device or a folder of them; there are no files "
                               "to copy")  # fmt: skip
        if self.about.read_only and not is_below(self.about.source, SOCKETS) and (
            self.about.source == "/" or is_below(self.about.source, LIVE)
        ):  # fmt: skip
            return self.about
        if self.is_inside:
            return replace(self.about, action="share", read_only=False)
        return self._refuse("it is a socket or device of this machine, or a folder of them: no "
                            "copy of it can be made, and :ro does not keep a program from using "
                            "it")  # fmt: skip

    def _missing(self) -> PlannedMount:
        if not self.mount.create_host_path:
            self._refuse("its source is not there", "make it, or remove create_host_path: false")
        if self.setting and self.wanted in {"share", "copy"}:
            self._not_honoured("there is no such file or folder")
        if self.wanted == "share":  # stackproof's own, which is made later
            return replace(self.about, action="share")
        return replace(self.about, action="fresh")

    def _out_of_reach(self) -> PlannedMount:
        """A volume that can't be copied: another driver's, or on an engine without Docker."""
        if not self._is_compose:
            if self.setting:
                self._not_honoured("only Docker has this volume, and the process engine has none")
            return replace(self.about, action="fresh")
        if self.wanted == "share":
            return replace(self.about, action="share")
        if self.wanted == "copy":
            self._not_honoured("a volume of another driver, or of another machine, can't be copied")
        return self._refuse("its volume is kept by another driver or on another machine, and may "
                            "hold somebody's data")  # fmt: skip

    @property
    def _key(self) -> str:
        return self.about.written or self.about.source

    def _refuse(self, why: str, remedy: str = "") -> NoReturn:
        """Refuse the mount; without a remedy, until a person allows it."""
        where = self.mount.where
        kind = ConfigError if remedy else partial(UndecidedMount, self._key)
        remedy = remedy or f"allow it by {_SETTING}: {{{self._key!r}: share}}"
        raise kind(
            f"{self.service.name} may not write to {self._key}",
            source=where.source if where else None,
            line=where.line if where else None,
            key=f"services.{self.service.name}.volumes",
            observed=f"it is mounted at {self.about.target}; {why}",
            remedy=remedy,
        )

    def _not_honoured(self, why: str) -> NoReturn:
        raise self.project.settings.refusal(
            ("mounts", self.setting),
            f"{self._key} at {self.about.target} of {self.service.name} can't be "
            f"{'shared' if self.wanted == 'share' else 'copied'}",
            observed=why,
            remedy="remove the setting",
        )
