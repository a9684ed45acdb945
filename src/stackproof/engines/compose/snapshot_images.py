"""The images of a snapshot: made of stopped containers' data, and checked.

Each belongs to one snapshot, whose folder stands in its label, and is named
`stackproof/snapshot/<stack>-<service>:<key>`. It gets its name when all of them are complete.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from docker import DockerClient
from docker.errors import ImageNotFound, NotFound

from stackproof.engines.compose.containers import Containers
from stackproof.engines.compose.labels import SNAPSHOT, labels_of
from stackproof.engines.compose.snapshot_places import Found, Place, places_of
from stackproof.engines.compose.snapshot_removal import COMMENT, REPOSITORY
from stackproof.errors import StackproofError
from stackproof.plan.model import Plan, ServicePlan
from stackproof.reaper.ownership import write_file

FILE = "images.json"
"""In the folder of a snapshot, and in that of a run that was started from one."""


@dataclass(frozen=True)
class SnapshotImages:
    """What the folder of a snapshot says of its images.

    Attributes:
        names: Service to the image's name.
        ids: Service to the image's id, which the name must still lead to.
        places: Where the data are.
    """

    names: Mapping[str, str]
    ids: Mapping[str, str]
    places: tuple[Place, ...]

    @classmethod
    def read(cls, folder: Path) -> SnapshotImages | None:
        """What is kept in a folder; None where it is not there or can't be read."""
        try:
            value = json.loads((folder / FILE).read_text(encoding="utf-8"))
            places = tuple(Place(**place) for place in value["places"])
            return cls(dict(value["names"]), dict(value["ids"]), places)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Keep it in a folder."""
        write_file(str(folder), FILE, json.dumps(asdict(self)).encode())


def _labels(plan: Plan, run_id: str) -> Mapping[str, str]:
    root = plan.run_folder.parents[1]
    return labels_of(run_id=run_id, project=plan.project, stack=plan.stack, root=root)


def take(
    plan: Plan,
    containers: Containers,
    entry: Path,
    is_own: Callable[[Mapping[str, Any]], bool],
    *,
    is_unchanged: Callable[[Mapping[str, Any]], bool] = lambda _: False,
) -> tuple[SnapshotImages, int, list[str]]:
    """Make the images of a snapshot.

    Args:
        plan: What runs.
        containers: Its containers, stopped.
        entry: The folder that the snapshot will have.
        is_own: Whether a mount is nobody else's.
        is_unchanged: Whether a mount is a copy that was not written to, which every run makes.

    Returns:
        What belongs into that folder, the bytes that the data take, and what stays out, in words.
    """
    found = containers.inspect_all()
    client = containers.client
    images = {
        name: client.images.get(container["Image"]).attrs for name, container in found.items()
    }
    for container in found.values():
        container["Mounts"] = [mount for mount in container["Mounts"] if not is_unchanged(mount)]
    described = [
        _describe(service, found[service.name], images[service.name]) for service in plan.services
    ]
    places, left_out = places_of(described, plan.project, is_own)
    by_service: dict[str, list[Place]] = {}
    for place in places:
        by_service.setdefault(place.service, []).append(place)
    marked = {**_labels(plan, containers.run_id), SNAPSHOT: str(entry)}

    def make(service: str) -> str:
        maker = _ImageMaker(client, found[service]["Id"], images[service], marked)
        return maker.make(by_service[service])

    with ThreadPoolExecutor() as pool:
        ids = dict(zip(by_service, pool.map(make, by_service), strict=True))
    names = _names(plan, ids, entry)
    _give_names(client, ids, names)
    return SnapshotImages(names, ids, tuple(places)), _size(client, ids, images), left_out


def _size(
    client: DockerClient, ids: Mapping[str, str], images: Mapping[str, Mapping[str, Any]]
) -> int:
    """Bytes that the images have beyond those that they were made of."""
    return sum(
        client.images.get(image).attrs["Size"] - images[service]["Size"]
        for service, image in ids.items()
    )


def _give_names(client: DockerClient, ids: Mapping[str, str], names: Mapping[str, str]) -> None:
    for service, name in names.items():
        repository, _, tag = name.rpartition(":")
        client.api.tag(ids[service], repository, tag, force=True)


def _describe(
    service: ServicePlan, container: Mapping[str, Any], image: Mapping[str, Any]
) -> Found:
    config = container["Config"]
    return Found(
        plan=service,
        mounts=container["Mounts"],
        environment=dict(pair.partition("=")[::2] for pair in config["Env"] or ()),
        argv=[*(config["Entrypoint"] or ()), *(config["Cmd"] or ())],
        declared=frozenset(image["Config"].get("Volumes") or ()),
    )


def _names(plan: Plan, services: Iterable[str], entry: Path) -> dict[str, str]:
    """A name for each service's image: words of Docker's grammar, and no two alike."""
    key = entry.name.removeprefix(f"{plan.stack}-")
    names = {}
    for number, service in enumerate(services):
        plain = re.sub(r"[^a-z0-9]+", "-", f"{plan.stack}-{service}".lower()).strip("-")
        is_same = plain == f"{plan.stack}-{service}"
        names[service] = f"{REPOSITORY}/{plain if is_same else f'{plain}-{number}'}:{key}"
    return names


class _ImageMaker:
    """Makes one image: that of a stopped container, with some of the container's data in it.

    The data go through a container of the plain image that is never started, so that nothing of the
    service's environment gets into the image.
    """

    def __init__(
        self,
        client: DockerClient,
        container: str,
        image: Mapping[str, Any],
        labels: Mapping[str, str],
    ) -> None:
        self.api = client.api
        self.container = container
        self.image = image
        self.labels = labels

    def make(self, places: Sequence[Place]) -> str:
        """The id of the image, which has no name yet."""
        config = self.image["Config"]
        has_program = config.get("Cmd") or config.get("Entrypoint")
        draft = self.api.create_container(
            self.image["Id"], command=None if has_program else ["none"], labels=dict(self.labels)
        )["Id"]
        try:
            for place in places:
                self._copy(place, draft)
            return str(self.api.commit(draft, message=COMMENT)["Id"])
        finally:
            with contextlib.suppress(NotFound):
                self.api.remove_container(draft, v=True, force=True)

    def _copy(self, place: Place, draft: str) -> None:
        parent = PurePosixPath(place.inside).parent
        try:
            stream, _ = self.api.get_archive(self.container, place.target)
        except NotFound:
            return  # declared, and not made by migrate and seed
        self._ensure_folder(draft, parent)
        if not self.api.put_archive(draft, str(parent), stream):
            raise StackproofError(f"the data at {place.target} could not be put into an image")

    def _ensure_folder(self, draft: str, folder: PurePosixPath) -> None:
        missing: list[PurePosixPath] = []
        while str(folder) != "/" and not self._is_there(draft, folder):
            missing.insert(0, folder)
            folder = folder.parent
        if missing:
            self.api.put_archive(draft, str(folder), _folders(missing, folder))

    def _is_there(self, draft: str, folder: PurePosixPath) -> bool:
        try:
            stream, _ = self.api.get_archive(draft, str(folder))
        except NotFound:
            return False
        stream.close()  # only its head was wanted
        return True


def _folders(paths: Sequence[PurePosixPath], base: PurePosixPath) -> bytes:
    """An archive of empty folders that everybody may pass through."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for path in paths:
            member = tarfile.TarInfo(str(path.relative_to(base)))
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
    return written.getvalue()


def fault_of(client: DockerClient, folder: Path) -> str:
    """Why a snapshot can't be used; empty where it can.

    Args:
        client: The Docker Engine.
        folder: The snapshot's.
    """
    kept = SnapshotImages.read(folder)
    if kept is None:
        return f"{FILE} can't be read"
    for service, name in kept.names.items():
        try:
            found = client.images.get(name).attrs
        except ImageNotFound:
            return f"the image {name} is missing"
        if found["Id"] != kept.ids[service]:
            return f"the image {name} was replaced"
    return ""
