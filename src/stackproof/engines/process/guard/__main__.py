"""The guard's program: `python -m stackproof.engines.process.guard NAME [UID]`.

Its input is the bound port, its working folder that of the server's socket, NAME the socket's.
UID is the user that the server runs as, where it is not the guard's own.
"""

from __future__ import annotations

import os
import socket
import sys

from stackproof.engines.process.guard.connections import Connections
from stackproof.engines.process.guard.loop import Loop
from stackproof.engines.process.guard.peers import Admission
from stackproof.engines.process.guard.relay import Relay
from stackproof.engines.process.guard.sockets import raise_file_limit, write_line
from stackproof.engines.process.guard.targets import UnixServer


def main() -> None:
    """Serve until killed."""
    name, *uid = sys.argv[1:]
    run = f"STACKPROOF_RUN={os.environ.get('STACKPROOF_RUN', '')}"
    raise_file_limit()
    admission = Admission(run, int(uid[0]) if uid else None)
    loop = Loop()
    port = socket.socket(fileno=0)
    server = UnixServer(name)
    Relay(loop, Connections(loop), port, server, admission.refuses, write_line, _end)
    loop.serve()


def _end(error: OSError) -> None:
    """End, since the port is somebody else's now."""
    write_line(f"stackproof: the port can't be guarded: {error}")
    sys.exit(1)


if __name__ == "__main__":
    main()
