"""Where the data of a stack are in its snapshot's images, and the model of a copy that has them.

Pure. What a service keeps in a volume is not in its container's layer, so the snapshot's image gets
it in one of three ways, the first that fits:

- `setting`: PostgreSQL goes where `PGDATA` says, so its data lie elsewhere in the image, and the
  copy has no volume: overlayfs shares them, and copies what is written to.
- `layer`: the image declares no `VOLUME` there, so the data lie at their own path, and the copy has
  no volume either.
- `volume`: the data lie elsewhere in the image, and Docker copies them into the copy's own volume
  when it makes the container. This is for an image with a `VOLUME` there, and for a volume that
  several services share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from stackproof.engines.compose.model import Model
from stackproof.plan.model import ServicePlan
from stackproof.plan.services.known_images import recognise

INSIDE = "/.stackproof"
"""Folder in a snapshot's image for data that have another place in the container."""

START_UP_FILES = "/docker-entrypoint-initdb.d"
"""Files of database images that are read and not written, though they may be mounted to be."""

OWN_FOLDER_OPTIONS = ("-D", "data_directory", "pgdata")
"""Words in a command that name the data folder beside PGDATA."""


@dataclass(frozen=True)
class Place:
    """Where some data of a snapshot are.

    Attributes:
        service: Whose image has them.
        kind: How a copy gets them, as the module says.
        target: Their path in the running container.
        inside: Their path in the image.
        volume: Name of the volume in the Compose model, for `volume`.
        value: What PGDATA becomes, for `setting`.
    """

    service: str
    kind: Literal["setting", "layer", "volume"]
    target: str
    inside: str
    volume: str = ""
    value: str = ""


@dataclass(frozen=True)
class Found:
    """What is known of the container of one service.

    Attributes:
        plan: The service.
        mounts: Its mounts, as the Docker Engine tells them.
        environment: Its environment, the image's part included.
        argv: Its entrypoint and command.
        declared: Paths that its image declares as volumes.
    """

    plan: ServicePlan
    mounts: Sequence[Mapping[str, Any]]
    environment: Mapping[str, str]
    argv: Sequence[str]
    declared: frozenset[str]


@dataclass(frozen=True)
class _User:
    """A service that has a volume mounted."""

    found: Found
    target: str


def places_of(
    found: Sequence[Found], project: str, is_own: Callable[[Mapping[str, Any]], bool]
) -> tuple[list[Place], list[str]]:
    """Where each thing goes that a stack keeps, and what stays out, in words.

    Args:
        found: Its containers.
        project: Name of the copy.
        is_own: Whether a mount is nobody else's.
    """
    users: dict[str, list[_User]] = {}
    left_out: list[str] = []
    declared: list[_User] = []
    for service in found:
        for mount in service.mounts:
            if mount["Type"] == "volume" and is_own(mount):
                users.setdefault(mount["Name"], []).append(_User(service, mount["Destination"]))
            elif _is_foreign(mount):
                left_out.append(
                    f"{service.plan.name}: {mount['Destination']}, which is not the copy's"
                )
        mounted = [mount["Destination"] for mount in service.mounts]
        paths = (path for path in service.plan.data if not any(_within(path, m) for m in mounted))
        declared += [_User(service, path) for path in paths]
    places: list[Place] = []
    for name, having in users.items():
        places.append(_place(name, having, project, len(places)))
    places += [Place(user.found.plan.name, "layer", user.target, user.target) for user in declared]
    return places, left_out


def _is_foreign(mount: Mapping[str, Any]) -> bool:
    return (
        mount["Type"] in {"bind", "volume"}
        and bool(mount["RW"])
        and not mount["Destination"].startswith(START_UP_FILES)
    )


def _place(name: str, users: Sequence[_User], project: str, number: int) -> Place:
    user = users[0]
    service, target = user.found.plan.name, user.target
    inside = f"{INSIDE}/{number}/{PurePosixPath(target).name}"
    if len(users) == 1:
        moved = _moved_data_folder(user.found, target, inside)
        if moved:
            return Place(service, "setting", target, inside, value=moved)
        if not any(_within(target, path) for path in user.found.declared):
            return Place(service, "layer", target, target)
    is_named = name.startswith(f"{project}_")
    volume = name.removeprefix(f"{project}_") if is_named else f"stackproof-{number}"
    return Place(service, "volume", target, inside, volume=volume)


def _moved_data_folder(found: Found, target: str, inside: str) -> str:
    """PGDATA of a copy, if the data of an official PostgreSQL image are at a path; else empty."""
    known = recognise(found.plan.image)
    folder = found.environment.get("PGDATA", "")
    if known is None or known.name != "postgres" or not _within(folder, target):
        return ""
    if any(option in word for word in found.argv for option in OWN_FOLDER_OPTIONS):
        return ""
    return str(PurePosixPath(inside) / PurePosixPath(folder).relative_to(target))


def _within(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


def model_from_snapshot(
    model: Model, places: Iterable[Place], images: Mapping[str, str], labels: Mapping[str, str]
) -> Model:
    """The model of a copy that starts from a snapshot.

    Args:
        model: The model of a copy that starts with empty data.
        places: Where the snapshot's data are.
        images: Service to the snapshot's image.
        labels: What the copy's volumes are marked with.
    """
    changed = deepcopy(model)
    services, volumes = changed["services"], changed["volumes"]
    for name, image in images.items():
        if name in services:
            services[name]["image"] = image
            services[name].pop("build", None)
    for place in places:
        if place.service not in services:
            continue
        service = services[place.service]
        if place.kind == "volume":
            if volumes.get(place.volume, {}).get("external"):  # a copy, which is whole in the image
                del volumes[place.volume]
            volumes.setdefault(place.volume, _new_volume(model, place.volume, labels))
            _copy_nothing_into(services, place.volume)
            _unmount(service, place.target)
            service["volumes"] += [
                _mount(place.volume, place.target, copies=False),
                _mount(place.volume, place.inside, copies=True),
            ]
        else:
            _unmount(service, place.target)
        if place.kind == "setting":
            service["environment"]["PGDATA"] = place.value
    changed["volumes"] = {key: volumes[key] for key in volumes if key in _mounted(services)}
    return changed


def _unmount(service: Model, target: str) -> None:
    mounts, path = service.get("volumes") or [], PurePosixPath(target)
    service["volumes"] = [mount for mount in mounts if PurePosixPath(mount["target"]) != path]


def _copy_nothing_into(services: Mapping[str, Model], volume: str) -> None:
    """Let no image's files get into a volume that is filled from the snapshot."""
    for service in services.values():
        for mount in service.get("volumes") or []:
            if mount.get("type") == "volume" and mount.get("source") == volume:
                mount["volume"] = {**(mount.get("volume") or {}), "nocopy": True}


def _mount(volume: str, target: str, *, copies: bool) -> Model:
    return {
        "type": "volume",
        "source": volume,
        "target": target,
        "volume": {} if copies else {"nocopy": True},
    }


def _new_volume(model: Model, volume: str, labels: Mapping[str, str]) -> Model:
    return {"name": f"{model['name']}_{volume}", "labels": dict(labels)}


def _mounted(services: Mapping[str, Model]) -> set[str]:
    return {
        mount["source"]
        for service in services.values()
        for mount in service.get("volumes") or []
        if mount.get("type") == "volume" and mount.get("source")
    }
