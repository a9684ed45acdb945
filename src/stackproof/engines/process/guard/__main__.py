"""The guard's program: `python -m stackproof.engines.process.guard NAME [UID]`.

Its input is the bound port, its working folder that of the server's socket, NAME the socket's.
UID is the user that the server runs as, where it is not the guard's own.
"""

from __future__ import annotations

import os
import socket
import sys

from stackproof.engines.process.guard.peers import Admission
from stackproof.engines.process.guard.relay import Relay, raise_file_limit, write_line


def main() -> None:
    """Serve until killed."""
    name, *uid = sys.argv[1:]
    run = f"STACKPROOF_RUN={os.environ.get('STACKPROOF_RUN', '')}"
    raise_file_limit()
    admission = Admission(run, int(uid[0]) if uid else None)
    try:
        Relay(socket.socket(fileno=0), name, admission.refuses, write_line).serve()
    except OSError as error:  # the port is somebody else's now
        write_line(f"stackproof: the port can't be guarded: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
