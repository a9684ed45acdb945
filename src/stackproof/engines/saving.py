"""Having a server that keeps its data in memory write them down, before it is stopped for good."""

from __future__ import annotations

import socket
from itertools import pairwise

from stackproof.engines.process.images.command import server_arguments
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
    words = server_arguments(service.argv, service.environment, ("redis-server", "valkey-server"))
    found = [after for word, after in pairwise(words) if word == "--requirepass"]
    for endpoint in service.endpoints:
        if endpoint.scheme == "redis":
            return _save((endpoint.host, endpoint.port), found[-1] if found else "")
    return ""


def _save(address: tuple[str, int], password: str) -> str:
    """Send AUTH where it is needed, and SAVE (Redis documentation, "RESP")."""
    login = (b"AUTH", password.encode())
    commands = [login, (b"SAVE",)] if password else [(b"SAVE",)]
    try:
        with socket.create_connection(address, SECONDS) as link, link.makefile("rb") as answers:
            for words in commands:
                sent = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
                link.sendall(b"*%d\r\n%s" % (len(words), sent))
                answer = answers.readline()
                if not answer.startswith(b"+OK"):
                    return answer.decode(errors="replace").strip() or "it closed the connection"
    except OSError as error:
        return str(error)
    return ""
