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
        client = connect(environment)
        try:
            return list(_found(client, run_ids, projects))
        finally:
            client.close()
    except (EngineUnavailable, DockerException, requests.RequestException) as error:
        return [f"the Docker Engine can't be asked what is left in it: {error}"]


def _found(
    client: DockerClient, run_ids: Collection[str], projects: Collection[str]
) -> Iterator[str]:
    mine = {"label": [f"{OWNER}={owner()}"]}
    for one in client.api.containers(all=True, filters=mine):
        if _label(one, RUN) in run_ids:
            yield f"container {one['Names'][0][1:]} of {_label(one, PROJECT)}"
    for one in client.api.networks(filters=mine):
        if _label(one, RUN) in run_ids:
            yield f"network {one['Name']} of {_label(one, PROJECT)}"
    for one in client.api.volumes(filters=mine)["Volumes"] or []:
        if _label(one, PROJECT) in projects:
            yield f"volume {one['Name']} of {_label(one, PROJECT)}"


def _label(found: Mapping[str, Any], name: str) -> str:
    return str((found["Labels"] or {}).get(name, ""))
