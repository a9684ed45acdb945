"""What some runs have in a Docker Engine, by their labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import requests
from docker import DockerClient
from docker.errors import DockerException

from stackproof.engines.compose.connection import connect
from stackproof.engines.compose.labels import OWNER, PROJECT, RUN, owner
from stackproof.errors import EngineUnavailable


def left_in_docker(
    run_ids: Collection[str], projects: Collection[str], environment: Mapping[str, str]
) -> list[str]:
    """The containers, networks and volumes of runs, in words.

    Args:
        run_ids: Identities of the runs.
        projects: Names of their copies, which their volumes carry.
        environment: The caller's environment, which says where the Docker Engine is.
    """
    try:
        return list(_found(connect(environment), run_ids, projects))
    except (EngineUnavailable, DockerException, requests.RequestException) as error:
        return [f"the Docker Engine can't be asked what is left in it: {error}"]


def _found(
    client: DockerClient, run_ids: Collection[str], projects: Collection[str]
) -> Iterator[str]:
    mine = {"label": [f"{OWNER}={owner()}"]}
    for container in client.api.containers(all=True, filters=mine):
        if _label(container, RUN) in run_ids:
            yield f"container {container['Names'][0][1:]} of {_label(container, PROJECT)}"
    for network in client.api.networks(filters=mine):
        if _label(network, RUN) in run_ids:
            yield f"network {network['Name']} of {_label(network, PROJECT)}"
    for volume in client.api.volumes(filters=mine)["Volumes"] or []:
        if _label(volume, PROJECT) in projects:
            yield f"volume {volume['Name']} of {_label(volume, PROJECT)}"


def _label(found: Mapping[str, Any], name: str) -> str:
    return str((found["Labels"] or {}).get(name, ""))
