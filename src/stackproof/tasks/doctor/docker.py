"""What the compose engine needs: Docker, its Compose, disk space and addresses for networks."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stackproof.engines.compose.addresses import ranges_left
from stackproof.engines.compose.connection import address, connect, require_compose
from stackproof.errors import EngineUnavailable, StackproofError
from stackproof.lifecycle import StackRequest
from stackproof.tasks.doctor.finding import Finding

LEAST_DISK = 2 << 30
"""Bytes that must be free for images and containers."""

ENOUGH_NETWORKS = 10


def examine_docker(request: StackRequest) -> Iterator[Finding]:
    """Look at everything that the compose engine needs.

    Args:
        request: Whose environment says where the Docker Engine is.
    """
    try:
        yield Finding("ok", "Compose", require_compose(request.environment))
    except EngineUnavailable as error:
        yield _missing("Compose", error)
    refused = _no_right(address(request.environment))
    if refused is not None:
        yield refused
        return
    try:
        client = connect(request.environment)
    except EngineUnavailable as error:
        yield _missing("Docker", error)
        return
    version = client.version().get("Version", "unknown version")
    yield Finding("ok", "Docker", f"{version} at {address(request.environment)}")
    yield _disk(client)
    yield _addresses(client)


def _missing(subject: str, error: StackproofError) -> Finding:
    return Finding("missing", subject, f"{error.what}: {error.observed}", error.remedy)


def _no_right(where: str) -> Finding | None:
    """That this user may not open the socket of the Docker Engine; None where nothing says so."""
    socket = Path(where.removeprefix("unix://"))
    if not where.startswith("unix://") or not socket.exists() or os.access(socket, os.W_OK):
        return None
    user = getpass.getuser()
    return Finding(
        "missing",
        "Docker",
        f"the user {user} may not open {socket}",
        f"`sudo usermod -aG {socket.group()} {user}`, then log in again; or use --engine process",
    )


def _disk(client: Any) -> Finding:
    folder = client.info().get("DockerRootDir", "")
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # on another machine, or closed to this user
        return Finding("ok", "disk of Docker", f"{folder} can't be looked into from here")
    text = f"{free / (1 << 30):.1f} GiB free in {folder}"
    if free < LEAST_DISK:
        remedy = "`docker system df` shows what takes it; `docker builder prune` frees some"
        return Finding("missing", "disk of Docker", text, remedy)
    return Finding("ok", "disk of Docker", text)


def _addresses(client: Any) -> Finding:
    left = ranges_left(client, client.api.networks(), enough=ENOUGH_NETWORKS)
    if not left:
        return Finding(
            "missing",
            "networks of Docker",
            "no address range is left for another network",
            "`docker network prune` removes unused ones; `default-address-pools` in daemon.json "
            "gives the Docker Engine more",
        )
    many = f"{left} or more" if left >= ENOUGH_NETWORKS else f"{left} more"
    return Finding("ok", "networks of Docker", f"{many} can be made")
