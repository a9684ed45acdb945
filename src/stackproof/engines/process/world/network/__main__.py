"""The network process's program: `python -m stackproof.engines.process.world.network`.

Its input is a socket of messages to the supervisor; it ends when the other side is closed.
"""

from __future__ import annotations

import socket
import sys

from stackproof.engines.process.guard.loop import Loop
from stackproof.engines.process.guard.sockets import raise_file_limit, write_line
from stackproof.engines.process.world.network.requests import Requests


def main() -> None:
    """Serve until the supervisor has gone."""
    raise_file_limit()
    loop = Loop()
    try:
        Requests(loop, socket.socket(fileno=0))
    except OSError as error:
        write_line(f"stackproof: the stack's network can't be made: {error.strerror}")
        sys.exit(1)
    loop.serve()


if __name__ == "__main__":
    main()
