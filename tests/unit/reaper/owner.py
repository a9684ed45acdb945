"""An owner of a run, to be killed by a test.

usage: owner.py STATE_ROOT PROJECT private|shared held|released SERVICE...
"""

import os
import sys
import time
from pathlib import Path

from stackproof.engines.cache import ensure_shelf
from stackproof.reaper.launch import launch
from stackproof.reaper.run_folder import RunFolder


def main():
    root, project, namespaces, lease_kind, *services = sys.argv[1:]
    run = RunFolder(Path(root), project)
    standin = Path(__file__).with_name("standin.py")
    argv = [sys.executable, str(standin), str(run.path), *services]
    private = namespaces == "private"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    lease = launch(run, argv, environment=environment, private=private)
    shelf = Path(root).parent / "cache" / "snapshots"
    ensure_shelf(shelf)
    outside = shelf / f".new-{project}"
    lease.intend(outside)
    outside.mkdir()
    while not (run.path / "started").exists():
        time.sleep(0.005)
    if lease_kind == "released":
        lease.release()
    print(lease.run_id, lease.reaper.pid, lease.namespace, flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main()
