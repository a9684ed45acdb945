"""What the Docker Engine's refusals to start a container mean."""

from __future__ import annotations

import re
from collections.abc import Sequence

from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from stackproof.engines.process.listeners import holder_of
from stackproof.errors import CommandFailed, PortTaken, StackproofError, StartFailed
from stackproof.plan.model import ServicePlan

_PORT = re.compile(r"(?:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::\]):(\d{1,5}+)")
_TAKEN = re.compile(r"port is already allocated|address already in use", re.IGNORECASE)


def start_failure(service: ServicePlan, error: APIError, client: DockerClient) -> StackproofError:
    """The error for a container that could not be started.

    Args:
        service: The service.
        error: What the Docker Engine answered.
        client: The Docker Engine, which may know who has a port.
    """
    text = str(error.explanation or error)
    if _TAKEN.search(text):
        match = _PORT.search(text)
        port = int(match[1]) if match else 0
        return PortTaken(service.name, port=port, holder=holder(client, port))
    remedy = "see what the Docker Engine said above"
    if "executable file not found" in text or "no such file or directory" in text:
        remedy = "check `command` and `entrypoint`: the program must be in the image"
    elif "no space left" in text:
        remedy = "`docker system df` shows what takes the Docker Engine's disk space"
    return StartFailed(f"{service.name} could not be started", observed=text, remedy=remedy)


def no_image(
    client: DockerClient, services: Sequence[ServicePlan], error: CommandFailed
) -> StackproofError | None:
    """The error for containers that could not be made, if it is for want of an image.

    Args:
        client: The Docker Engine.
        services: The services.
        error: What Compose said.
    """
    for service in services:
        if not service.builds and not is_there(client, service.image):
            return StartFailed(
                f"the image {service.image} of {service.name} could not be fetched",
                observed=error.output.strip().rpartition("\n")[2],
                remedy="check its name and the connection, or name an image that is there (often a "
                "variable of the stack file, such as POSTGRES_IMAGE)",
            )
    return None


def is_there(client: DockerClient, image: str) -> bool:
    """Whether the Docker Engine has an image."""
    try:
        client.images.get(image)
    except ImageNotFound:
        return False
    return True


def holder(client: DockerClient, port: int) -> str:
    """Who listens on a port: the container, where it is one."""
    for container in client.api.containers():
        if any(port_map.get("PublicPort") == port for port_map in container["Ports"]):
            return f"container {container['Names'][0][1:]}"
    return holder_of(port)
