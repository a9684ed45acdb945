"""Removing the images of snapshots: those that stackproof has made, and no other.

Each image says in a label which snapshot it belongs to: its folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from stackproof.engines.compose.labels import OWNER, SNAPSHOT, of_run, owner

REPOSITORY = "stackproof/snapshot"

COMMENT = "made by stackproof: data of a stack after migrate and seed"
"""Of each image of a snapshot; those that somebody derives from it inherit its labels, not this."""


def entries_with_images(client: DockerClient) -> set[str]:
    """The folders of all snapshots of this user on this machine that have images."""
    found = client.api.images(filters={"label": [SNAPSHOT, f"{OWNER}={owner()}"]})
    return {str(image["Labels"][SNAPSHOT]) for image in found}


def remove_images(client: DockerClient, entry: str) -> list[str]:
    """Remove the images of a snapshot; tells of those that something still uses.

    Args:
        client: The Docker Engine.
        entry: Folder of the snapshot.
    """
    filters = {"label": [f"{SNAPSHOT}={entry}", f"{OWNER}={owner()}"]}
    return _remove(client, client.api.images(filters=filters))


def remove_unfinished(client: DockerClient, run_id: str) -> None:
    """Remove the images of a run that was ended before the snapshot that it made was complete."""
    for image in client.api.images(filters=of_run(run_id)):
        entry = (image.get("Labels") or {}).get(SNAPSHOT)
        if entry is not None and not Path(entry).is_dir():
            _remove(client, [image])


def _remove(client: DockerClient, images: Sequence[Mapping[str, Any]]) -> list[str]:
    used = []
    for image in images:
        try:
            found = client.images.get(image["Id"]).attrs
            if found.get("Comment") != COMMENT:
                continue
            tags = found.get("RepoTags") or []
            own = [name for name in tags if name.startswith(f"{REPOSITORY}/")]
            for name in own or ([] if tags else [image["Id"]]):
                client.api.remove_image(name)
        except ImageNotFound:
            continue
        except APIError as error:
            used.append(str(error.explanation))
    return used
