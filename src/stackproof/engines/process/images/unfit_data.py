"""Refuses a server on data that it could not read, before anything is moved or started."""

from __future__ import annotations

from pathlib import Path

from stackproof.engines.process.images.model import Server
from stackproof.errors import Refused

MADE_BY = ".stackproof-server"
"""File in a data folder that names the version which has used it last."""


def later_version_fault(folder: Path, server: Server) -> str:
    """Why a server can't read data that a later version has written; empty where it can.

    Args:
        folder: The data folder.
        server: What was found.
    """
    try:
        made_by = (folder / MADE_BY).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    if _numbers(made_by) <= _numbers(server.version):
        return ""
    return f"{server.name} {made_by} wrote them, and {server.name} {server.version} was found"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]


def refuse_unfit_data(service: str, fault: str) -> None:
    """Raise the error for data of an earlier start, where there is a fault.

    Args:
        service: Name of the service.
        fault: Why its server can't go on with them; empty where it can.

    Raises:
        Refused: If there is one.
    """
    if fault:
        raise Refused(
            f"{service} can't go on with the data that are there",
            observed=fault,
            remedy="`invoke up --fresh` removes them and starts from empty data; or install the "
            "server that made them, or name its folder under `servers`",
        )
