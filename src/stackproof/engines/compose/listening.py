"""The TCP ports that a container listens on, seen from outside where Docker runs here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker.errors import APIError

from stackproof.engines.compose.stopping import process_of
from stackproof.readiness.sockets import listeners

TABLES = ("tcp", "tcp6")


def ports_of(api: Any, found: Mapping[str, Any]) -> dict[int, bool] | None:
    """Each port that a container listens on, with whether others can reach it.

    Args:
        api: The Docker Engine.
        found: What inspecting the container gave.

    Returns:
        The ports; None where they can't be seen: neither by /proc of this machine nor by `cat` in
        the container.
    """
    text = _from_here(found)
    if text is None:
        text = _from_inside(api, found["Id"])
    if text is None:
        return None
    is_host = found["HostConfig"].get("NetworkMode") == "host"
    ports: dict[int, bool] = {}
    for listener in listeners(text):
        is_reached = is_host or not listener.is_local
        ports[listener.port] = ports.get(listener.port, False) or is_reached
    return ports


def _from_here(found: Mapping[str, Any]) -> str | None:
    process = process_of(found)
    if process is None:
        return None
    try:
        return "".join(Path(f"/proc/{process.pid}/net/{name}").read_text() for name in TABLES)
    except OSError:
        return None


def _from_inside(api: Any, container: str) -> str | None:
    try:
        made = api.exec_create(container, ["cat", *(f"/proc/net/{name}" for name in TABLES)])
        output: bytes = api.exec_start(made["Id"])
        code = api.exec_inspect(made["Id"])["ExitCode"]
    except APIError:
        return None
    return output.decode(errors="replace") if code in {0, 1} else None  # 1: it has no IPv6
