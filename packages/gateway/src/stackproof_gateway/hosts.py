"""The names that a gateway answers to.

A page whose own name is pointed at this machine (DNS rebinding) is same-origin with what answers
there: only the header Host tells. So a gateway answers to names that nobody else can point at it:

- `localhost` and names below it (RFC 6761, section 6.3);
- addresses, which no resolver is asked for: its own, or any where it listens on all of them
  (Vite's `server.allowedHosts` draws the same line);
- beyond loopback, names of one label, such as a service's name in a Compose file or a container's:
  no public name has one label (ICANN, resolution 2013.08.13.NG02 on dotless domains);
- what Docker and Podman call the machine itself, below `.internal`, which is never delegated
  (ICANN, resolution 2024.07.29.06);
- names that it was told.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

MACHINE = frozenset({"localhost", "host.docker.internal", "host.containers.internal"})
"""Names of the machine itself, seen from it or from a container."""

_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?")
_ONE_LABEL = re.compile(r"(?=.*[a-z])[a-z0-9_-]{1,63}")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Hosts:
    """The names that a gateway answers to.

    Args:
        bound: The address or name that it listens on.
        allowed: Further names; one that begins with a dot stands for all below it.
    """

    def __init__(self, bound: str, allowed: Iterable[str] = ()) -> None:
        told = {name.strip().lower() for name in allowed} - {""}
        self._below = (".localhost", *sorted(name for name in told if name.startswith(".")))
        self._address = _address(bound)
        self._is_local = (
            self._address.is_loopback if self._address else bound.lower() == "localhost"
        )
        self._names = {*MACHINE, bound.lower(), *told}
        if not self._is_local:
            self._names.add(socket.gethostname().lower())

    def admit(self, host: str) -> bool:
        """Whether a request with that header Host is answered."""
        read = _AUTHORITY.fullmatch(host.lower())
        if read is None:
            return False
        name = read["host"]
        if name in self._names or name.endswith(self._below):
            return True
        address = _address(name)
        if address is not None:
            return self._admits_address(address)
        return not self._is_local and _ONE_LABEL.fullmatch(name) is not None

    def _admits_address(self, address: Address) -> bool:
        bound = self._address
        if bound is not None and bound.is_unspecified:
            return True
        return address.is_loopback if self._is_local else address == bound


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
