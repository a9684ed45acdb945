"""Snapshots on the compose engine: committed images, so that overlayfs makes the copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from stackproof.engines.base import Say
from stackproof.engines.compose import snapshot_images, snapshot_removal
from stackproof.engines.compose.connection import connect
from stackproof.engines.compose.copies import unchanged_copies
from stackproof.engines.compose.labels import labels_of
from stackproof.engines.compose.running import ComposeRunning
from stackproof.engines.saving import save_memory
from stackproof.plan.model import Plan
from stackproof.plan.services.known_images import recognise
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack_file.model import Service, StackFile


class ComposeSnapshots:
    """Implements `engines.snapshot_keeping.SnapshotKeeper`.

    Args:
        environment: The caller's environment.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def inputs(self, plan: Plan, say: Say) -> list[str]:
        """The images: by id, or for those that are built here by name, which is their content's.

        An image that is not there is fetched, since only then it is known what it is.
        """
        client = connect(self.environment)
        return sorted(
            f"{service.name} "
            f"{service.image if service.builds else _image_id(client, service.image, say)}"
            for service in plan.services
        )

    def foreign_data(self, stack_file: StackFile, services: Sequence[str]) -> list[str]:
        """Database servers whose data are in memory."""
        found = []
        for name in services:
            service = stack_file.services[name]
            known = recognise(service.image or "")
            if known is not None and any(map(known.keeps, _in_memory(service))):
                found.append(f"{name} has its data in memory (tmpfs)")
        return found

    def take(self, plan: Plan, run: RunFolder, draft: Path, entry: Path, say: Say) -> int:
        """Stop a running stack, and make images of its data."""
        state = read_run(run.path)
        run_id = state.run_id if state is not None else ""
        client = connect(self.environment)
        running = ComposeRunning(plan, run, client, run_id, self.environment)
        for service in reversed(plan.services):
            problem = save_memory(service)
            if problem:
                say(f"note: {service.name} could not save its data: {problem}")
            running.control("stop", [service.name])
        snapshot_removal.remove_images(client, str(entry))  # what a killed maker may have left
        labels = labels_of(run_id=run_id, project=plan.project, stack=plan.stack, root=run.root)
        unchanged = unchanged_copies(client, plan, labels)
        kept, size, left_out = snapshot_images.take(
            plan,
            running.containers,
            entry,
            running.is_own,
            is_unchanged=lambda mount: (mount.get("Name") or mount.get("Source")) in unchanged,
        )
        kept.write(draft)
        for line in left_out:
            say(f"note: not part of the snapshot: {line}")
        return size

    def fault(self, entry: Path) -> str:
        """Why the images of a snapshot can't be used; empty where they can."""
        return snapshot_images.fault_of(connect(self.environment), entry)

    def drop(self, entry: Path) -> list[str]:
        """Remove the images of a snapshot; tells of those that something still uses."""
        return snapshot_removal.remove_images(connect(self.environment), str(entry))

    def entries(self) -> set[str]:
        """The folders of all snapshots that have images."""
        return snapshot_removal.entries_with_images(connect(self.environment))


def _image_id(client: DockerClient, image: str, say: Say) -> str:
    try:
        return str(client.images.get(image).attrs["Id"])
    except ImageNotFound:
        say(f"fetching {image}")
    try:
        client.images.pull(image)
        return str(client.images.get(image).attrs["Id"])
    except APIError:
        return image  # the start says what is wrong with it


def _in_memory(service: Service) -> list[str]:
    """Paths of a service that are a file system in memory."""
    mounted = [mount.target for mount in service.mounts if mount.kind == "tmpfs"]
    return mounted + [mount.partition(":")[0] for mount in service.tmpfs]
