"""Brings secrets and configs that are no files into containers, before these are started.

Docker Compose does so when it starts a container, and stackproof starts containers itself. None of
them gets into an image: a snapshot has the data of its services alone.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence

from docker import DockerClient

from stackproof.plan.model import ServicePlan
from stackproof.stack_file.model import Mount

MODE = 0o444
"""As Docker Compose makes them: any user of the container can read them."""


def grant(client: DockerClient, ids: Mapping[str, str], services: Sequence[ServicePlan]) -> None:
    """Put the files into the containers of some services.

    Args:
        client: The Docker Engine.
        ids: Service to container.
        services: The services.
    """
    for service in services:
        if service.granted:
            client.api.put_archive(ids[service.name], "/", archive_of(service.granted))


def archive_of(granted: Sequence[Mount]) -> bytes:
    """The files as an archive, each with its path."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for mount in granted:
            content = (mount.content or "").encode()
            member = tarfile.TarInfo(mount.target.lstrip("/"))
            member.size, member.mode = len(content), MODE
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()
