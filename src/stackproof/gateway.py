"""The door to the LLM gateway, a distribution of its own, which the extra `gateway` installs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stackproof.errors import ConfigError

if TYPE_CHECKING:
    from stackproof_gateway.client import GatewayClient
    from stackproof_gateway.client_lease import Lease

MISSING = "the LLM gateway is not installed"
REMEDY = 'install it: pip install "stackproof[gateway]"'


def connect(url: str, namespace: str, token: str, lease: Lease | None = None) -> GatewayClient:
    """A client of a running gateway; the caller closes it.

    Args:
        url: Where the gateway listens.
        namespace: The part of the gateway that the client asks and scripts.
        token: What the control interface wants; empty if nothing.
        lease: When it ends, what the client told the gateway is undone; None if all of it stays.

    Raises:
        ConfigError: If the gateway's distribution is not installed.
    """
    with _said_if_missing():
        from stackproof_gateway.client import GatewayClient

        return GatewayClient(url, namespace, token, lease=lease)


def lease_of(url: str, token: str) -> Lease:
    """What ties a run's scripts and faults in a gateway to the run; the caller closes it.

    Raises:
        ConfigError: If the gateway's distribution is not installed.
    """
    with _said_if_missing():
        from stackproof_gateway.client_lease import Lease

        return Lease(url, token)


@contextmanager
def _said_if_missing() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(MISSING, observed=str(error), remedy=REMEDY) from None


def main() -> None:
    """Run the gateway: `python -m stackproof.gateway` is `python -m stackproof_gateway`."""
    try:
        from stackproof_gateway.__main__ import main as serve
    except ModuleNotFoundError as error:
        sys.exit(f"{MISSING}: {error}; {REMEDY}")
    serve()


if __name__ == "__main__":
    main()
