"""Having a server that keeps its data in memory write them down, before it is stopped for good."""

from __future__ import annotations

import socket

from stackproof.plan.model import ServicePlan

SECONDS = 60.0


def save_memory(service: ServicePlan) -> str:
    """Let a Redis or Valkey server write its data to its data folder.

    Without save points it would not do so when it is stopped.

    Args:
        service: Any service; nothing happens to one that is no such server.

    Returns:
        Why it could not be done; empty where it was, or where there is nothing to do.
    """
    for endpoint in service.endpoints:
        if endpoint.scheme == "redis":
            return _save(endpoint.host, endpoint.port)
    return ""


def _save(host: str, port: int) -> str:
    """Send SAVE as an inline command (Redis documentation, "RESP protocol specification")."""
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as link:
            link.sendall(b"SAVE\r\n")
            answer = link.recv(512)
    except OSError as error:
        return str(error)
    return "" if answer.startswith(b"+OK") else answer.decode(errors="replace").strip()
