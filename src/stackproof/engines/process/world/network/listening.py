"""Whether somebody listens at an address, without a connection that the server would notice."""

from __future__ import annotations

from stackproof.engines.process.guard.peers import Address, diagnosis, find

NOBODY = ("0.0.0.0", 0)  # noqa: S104 - the other end of a connection that there is not


class Listeners:
    """Listening sockets of the network namespace that the calling thread is in at first."""

    def __init__(self) -> None:
        self._link = diagnosis()

    def close(self) -> None:
        """Close the socket that the kernel is asked through."""
        self._link.close()

    def have(self, address: Address) -> bool:
        """Whether one of them would take a connection to an IPv4 address and port."""
        try:
            return find(self._link, address, NOBODY) is not None
        except OSError:  # the namespace has gone
            return False
