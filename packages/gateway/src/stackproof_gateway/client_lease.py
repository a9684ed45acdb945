"""The client's side of a lease: a connection that is open for as long as a run lasts."""

from __future__ import annotations

import secrets
import ssl
from contextlib import ExitStack

HEADER = "X-Gateway-Lease"


def trust_for(address: str) -> ssl.SSLContext | bool:
    """What a client of an address trusts: nobody, where it needs no TLS.

    To read the certificates that are trusted takes 40 ms of processor time, as often as a test asks
    for a gateway.
    """
    if address.lower().startswith("https:"):
        return True
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Lease:
    """Ties what a run tells a gateway to the run: all of it is undone when the run ends.

    The gateway notices the end by a connection that closes, also when the run is killed.

    Args:
        base_url: Address of the gateway.
        token: The gateway's token.
    """

    def __init__(self, base_url: str, token: str = "") -> None:
        self.name = secrets.token_hex(8)
        self._base_url = base_url.rstrip("/")
        self._headers = {"X-Gateway-Token": token} if token else {}
        self._connections = ExitStack()

    def begin(self, timeout: float) -> None:
        """Open the connection; again if the gateway was restarted.

        Args:
            timeout: Seconds that the gateway gets to answer.
        """
        import httpx

        self._connections.close()
        verify = trust_for(self._base_url)
        http = httpx.Client(timeout=timeout, headers=self._headers, verify=verify)
        self._connections.enter_context(http)
        url = f"{self._base_url}/_gateway/leases/{self.name}"
        held = self._connections.enter_context(http.stream("GET", url))
        held.raise_for_status()

    def close(self) -> None:
        """End the lease."""
        self._connections.close()
