"""Ending what a run has in Docker: in order where there is time, by force where there is none.

Only what carries the run's label is ever touched.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import requests
from docker import DockerClient
from docker.errors import APIError, NotFound

from stackproof.engines.compose.labels import DEPENDS_ON, SERVICE, SNAPSHOT, of_project, of_run
from stackproof.engines.compose.sharing import remove_network
from stackproof.engines.compose.snapshot_removal import remove_unfinished

ROUNDS = 20
"""So many times removals may fail."""

SECONDS = 20.0
PAUSE_SECONDS = 0.1
LATE_IMAGE_SECONDS = 5.0
"""The Docker Engine completes an image though whoever has asked for it was killed."""

QUIET_ROUNDS = 2
"""So many looks in a row must find nothing: the Docker Engine may still be making something."""

AT_ONCE = 16

KEEP_DATA = "keep-data"
"""A file in the run folder: the project's named volumes are to stay."""

Found = dict[str, Any]


def containers_of(client: DockerClient, run_id: str) -> list[Found]:
    """The run's containers as the Docker Engine lists them, ended ones included."""
    found: list[Found] = client.api.containers(all=True, filters=of_run(run_id))
    return found


def stop_in_order(client: DockerClient, run_id: str) -> None:
    """Stop and remove each container of a run once all that depend on it are gone.

    Each gets the stop signal and the grace of its stack file.

    Args:
        client: The Docker Engine.
        run_id: Identity of the run.
    """
    known = {
        container["Labels"].get(SERVICE, container["Id"]): container
        for container in containers_of(client, run_id)
    }
    ended: dict[str, Future[None]] = {}
    dependants: dict[str, list[str]] = {name: [] for name in known}
    for name, container in known.items():
        for dependency in _dependencies(container):
            dependants.get(dependency, []).append(name)

    def end(name: str) -> None:
        for other in dependants[name]:
            ended[other].result()
        _stop(client, known[name]["Id"])
        _remove_container(client, known[name]["Id"])

    with ThreadPoolExecutor(max(len(known), 1)) as pool:
        for name in _dependants_first(dependants):
            ended[name] = pool.submit(end, name)


def _dependencies(container: Found) -> list[str]:
    written = container["Labels"].get(DEPENDS_ON, "")
    return [part.split(":", 1)[0] for part in written.split(",") if part]


def _dependants_first(dependants: dict[str, list[str]]) -> list[str]:
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name not in ordered:
            for other in dependants[name]:
                visit(other)
            ordered.append(name)

    for name in dependants:
        visit(name)
    return ordered


def _stop(client: DockerClient, container: str) -> None:
    with contextlib.suppress(NotFound, APIError):
        state = client.api.inspect_container(container)
        if state["State"]["Paused"]:
            client.api.unpause(container)
        if state["State"]["Running"] or state["State"]["Restarting"]:
            client.api.stop(container, timeout=state["Config"].get("StopTimeout"))


def _remove_container(client: DockerClient, container: str) -> None:
    with contextlib.suppress(NotFound):
        try:
            client.api.remove_container(container, v=True, force=True)
        except APIError as error:
            if error.status_code != requests.codes.conflict:  # another call removes it already
                raise


def volumes_of(client: DockerClient, project: str, root: Path) -> list[str]:
    """The volumes that this user's copy of a name has, those that an earlier run kept included."""
    found = client.api.volumes(filters=of_project(project, root))["Volumes"] or []
    return [str(volume["Name"]) for volume in found]


def remove_run(
    client: DockerClient,
    project: str,
    run_id: str,
    root: Path,
    *,
    keep_data: bool = False,
    quiet_rounds: int = QUIET_ROUNDS,
) -> list[str]:
    """Remove a run's containers, networks and volumes by force.

    Args:
        client: The Docker Engine.
        project: Name of the copy; only one run has it at a time.
        run_id: Identity of the run.
        root: Its state folder.
        keep_data: Leave the named volumes.
        quiet_rounds: So many looks in a row must find nothing.

    Returns:
        What could not be removed, in words; empty when nothing of the run is left.
    """
    if not run_id:
        return []
    quiet, failures, late, before = 0, 0, 0.0, list[str]()
    problems: dict[str, str] = {}
    end = time.monotonic() + SECONDS
    while failures < ROUNDS and time.monotonic() < end:
        containers = containers_of(client, run_id)
        if any(_makes_image(container) for container in containers):
            late = time.monotonic() + LATE_IMAGE_SECONDS
        left = _containers(client, containers) or _networks(client, run_id)
        left += [] if containers or keep_data else _volumes(client, project, root)
        names = [what for what, _ in left]
        if left:
            quiet, problems = 0, _each(left)
            failures += bool(problems)
        else:
            remove_unfinished(client, run_id)
            quiet += time.monotonic() > late
            if quiet == quiet_rounds:
                return []
        if names == before:  # a removal may have begun that is not over yet
            time.sleep(PAUSE_SECONDS)
        before = names
    return [f"{what}: {problems.get(what, 'its removal is not over')}" for what in before]


def _makes_image(container: Found) -> bool:
    """Whether it was made to get data into a snapshot's image, and belongs to no service."""
    return SNAPSHOT in container["Labels"] and SERVICE not in container["Labels"]


_Removal = tuple[str, Callable[[], object]]


def _containers(client: DockerClient, found: Sequence[Found]) -> list[_Removal]:
    def remove(container: Found) -> Callable[[], object]:
        def act() -> None:
            if container.get("State") == "paused":
                with contextlib.suppress(APIError):
                    client.api.unpause(container["Id"])
            _remove_container(client, container["Id"])

        return act

    return [(f"container {container['Names'][0][1:]}", remove(container)) for container in found]


def _networks(client: DockerClient, run_id: str) -> list[_Removal]:
    found: Iterable[Found] = client.api.networks(filters=of_run(run_id))
    return [
        (f"network {network['Name']}", partial(remove_network, client, network["Id"]))
        for network in found
    ]


def _volumes(client: DockerClient, project: str, root: Path) -> list[_Removal]:
    remove, names = client.api.remove_volume, volumes_of(client, project, root)
    return [(f"volume {name}", partial(remove, name)) for name in names]


def _each(removals: Sequence[_Removal]) -> dict[str, str]:
    """Do all at once; gives what failed."""
    problems: dict[str, str] = {}

    def attempt(removal: _Removal) -> None:
        what, act = removal
        try:
            act()
        except NotFound:
            pass
        except (APIError, requests.RequestException) as error:
            problems[what] = str(getattr(error, "explanation", None) or error)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(attempt, removals))
    return problems
