"""A project with one service that sleeps: it starts at once and needs no server."""

import os
import subprocess
import sys

from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down

FILES = {
    "config/shop.yaml": "stack: shop\nproject: shop-e2e\ncompose_files: [../compose.yaml]\n",
    "compose.yaml": """\
services:
  a:
    image: anything
    volumes: ["kept:/kept"]
    x-stackproof: {command: [sleep, "600"], environment_of: stackproof, ready: {alive: 0.1}}
volumes: {kept: {}}
""",
    "tasks.py": "from stackproof.tasks import namespace\nns = namespace()\n",
}


class SmallProject:
    """The project in a folder, and what a person types in it."""

    def __init__(self, folder, outer, files=FILES):
        self.folder = folder
        self.state = outer / "state"
        self.environment = {
            **{name: text for name, text in os.environ.items() if name[:15] != "STACKPROOF_KILL"},
            "STACKPROOF_STATE_DIR": str(self.state),
            "STACKPROOF_CACHE_DIR": str(outer / "cache"),
        }
        for name, text in files.items():
            self.write(name, text)

    def write(self, name, text):
        """Make a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def invoke(self, *arguments, code=0, **more):
        """Run a task; give back all that it says."""
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *arguments], cwd=self.folder, text=True,
            env={**self.environment, **more}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def end(self):
        """Take down what is still up."""
        for run in find_runs(self.state):
            take_down(RunFolder(self.state, run.project), seconds=5)
