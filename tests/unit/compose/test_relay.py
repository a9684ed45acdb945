"""Listeners that stand for ports of containers without a route to the outside."""

import asyncio
import json

from stackproof.engines.compose.relay import FILE, Relays
from stackproof.reaper.port_claims import claim


def test_a_relay_listens_on_loopback_alone(tmp_path):
    held = []
    (port,) = claim(1, held)
    (tmp_path / FILE).write_text(json.dumps([[port, "container", 80]]))

    async def addresses():
        relays = Relays(tmp_path / FILE)
        await relays.load()
        found = [one.getsockname() for one in relays._servers[port].sockets]
        relays.close()
        return found

    assert asyncio.run(addresses()) == [("127.0.0.1", port)]
    for one in held:
        one.close()
