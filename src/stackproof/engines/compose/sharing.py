"""Brings containers of another run into the networks of a stack that shares them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import requests
from docker import DockerClient
from docker.errors import APIError, NotFound

from stackproof.engines.compose.labels import PROJECT, RUN, SERVICE
from stackproof.errors import NoStack
from stackproof.plan.model import Plan


def join_networks(client: DockerClient, plan: Plan, resolved: Mapping[str, Any]) -> None:
    """Connect the containers of shared services under their names in the stack file.

    Args:
        client: The Docker Engine.
        plan: The plan of the stack, which names the services that it lacks.
        resolved: What `docker compose config --format json` gave.

    Raises:
        NoStack: If a shared server is gone.
    """
    for name, project in plan.elsewhere.items():
        container = _container(client, name, project)
        service = resolved["services"][name]
        networks = service.get("networks") or {"default": None}
        for key, options in networks.items():
            with contextlib.suppress(NotFound):  # no other service of the stack is in it
                client.api.connect_container_to_network(
                    container,
                    f"{plan.project}_{key}",
                    aliases=_aliases(name, service, options or {}),
                )


def _container(client: DockerClient, service: str, project: str) -> str:
    labels = [f"{PROJECT}={project}", f"{SERVICE}={service}"]
    found = client.api.containers(filters={"label": labels})
    if not found:
        raise NoStack(
            f"{service} of {project}, which is shared, has no container",
            remedy="something has removed it; run the tests again",
        )
    return str(found[0]["Id"])


def _aliases(name: str, service: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    written = (service.get("container_name"), service.get("hostname"))
    return list(dict.fromkeys([name, *filter(None, written), *(options.get("aliases") or ())]))


def remove_network(client: DockerClient, network: str) -> None:
    """Remove a network of a run; containers of other runs that share it are taken out first.

    Raises:
        APIError: If something else is in it, with its name.
    """
    try:
        client.api.remove_network(network)
    except APIError as error:
        if error.status_code == requests.codes.not_found:
            raise
        strangers = _take_out_shared(client, network)
        if strangers:
            names = ", ".join(strangers)
            raise APIError(f"in use by {names}", explanation=f"in use by {names}") from error
        client.api.remove_network(network)


def _take_out_shared(client: DockerClient, network: str) -> list[str]:
    """Disconnect the containers of stackproof's runs; gives the names of all others."""
    strangers = []
    for container in client.api.inspect_network(network)["Containers"] or {}:
        with contextlib.suppress(NotFound):
            about = client.api.inspect_container(container)
            if RUN in (about["Config"]["Labels"] or {}):
                client.api.disconnect_container_from_network(container, network, force=True)
            else:
                strangers.append(about["Name"].lstrip("/"))
    return strangers
