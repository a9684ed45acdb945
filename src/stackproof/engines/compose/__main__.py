"""`python -m stackproof.engines.compose DOCKER_HOST PROJECT ROOT RUN_ID`: remove a run by force.

The reaper runs this at the end of a run, and the next command where the reaper could not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import requests
from docker.errors import DockerException

from stackproof.engines.compose.connection import connect
from stackproof.engines.compose.takedown import KEEP_DATA, remove_run
from stackproof.errors import EngineUnavailable
from stackproof.reaper.run_folder import RunFolder


def main(arguments: Sequence[str]) -> int:
    """Remove a run; writes what is left, and the exit status tells whether anything is."""
    where, project, root, run_id = arguments
    keep_data = (RunFolder(Path(root), project).path / KEEP_DATA).exists()
    try:
        client = connect({**os.environ, "DOCKER_HOST": where})
        left = remove_run(client, project, run_id, Path(root), keep_data=keep_data)
    except EngineUnavailable as error:
        left = [f"{error.what} ({'; '.join(error.checked)})"]
    except (DockerException, requests.RequestException) as error:
        left = [f"the Docker Engine stopped answering ({error})"]
    sys.stdout.write("; ".join(left))
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
