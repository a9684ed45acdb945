"""One place that an environment or a command leads to."""

from __future__ import annotations

from dataclasses import dataclass

from stackproof.plan.addressing.schemes import Kind

DEFAULT_HOST = ""
"""Stands for what a client takes when no host is named: this machine, or a socket on it."""

UNREADABLE = "?"
"""Stands for the host of a URL whose user or password holds `@` and `/` as they are."""


@dataclass(frozen=True)
class Target:
    """One place that a value leads to.

    Attributes:
        place: Where it stood: name of a variable, `command`, `health check`.
        kind: Of the server.
        host: In lower case; a path for a Unix socket or a file; empty for the client's default;
            UNREADABLE where libraries would take a part of the password for it.
        port: The port, or the one that the scheme stands for; None where none is known.
        database: Name of the database; None where it is not told.
        shown: The value without user, password and options.
    """

    place: str
    kind: Kind
    host: str
    port: int | None
    database: str | None
    shown: str

    @property
    def address(self) -> str:
        """Host and port in one."""
        if self.port is None or self.port < 0 or self.host.startswith("/") or not self.host:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
