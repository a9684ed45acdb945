"""A small project whose service writes to what is mounted, on the process engine."""

import os
import textwrap
from pathlib import Path

import pytest

from stackproof import lifecycle
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

COMPOSE = """\
services:
  app:
    image: example.org/app
    command: [python, /app/write.py, /uploads, /etc/one.conf]
    volumes: ["./app:/app:ro", "./uploads:/uploads", "./one.conf:/etc/one.conf"]
    x-stackproof: {environment_of: stackproof, ready: {log: written}}
"""
WRITE = """\
import os, sys, time
folder, file = sys.argv[1:]
print(sorted(os.listdir(folder)), open(file).read(), flush=True)
open(os.path.join(folder, "new"), "a").write("of the service")
if os.path.exists(os.path.join(folder, "old")): os.unlink(os.path.join(folder, "old"))
open(file, "w").write("changed")
print("written", sorted(os.listdir(folder)), open(file).read(), flush=True)
while True:
    time.sleep(1)
"""
READ = """\
import os, sys, time
print("written", os.listdir(sys.argv[1]), open(sys.argv[2]).read(), flush=True)
time.sleep(1000)
"""
CONFIG = """\
stack: shop
project: shop-e2e
compose_files: [../compose.yaml]
timeouts: {start: 60, command: 60}
"""


class Project:
    """A developer's project folder, and its stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.state = folder.parent / "state"
        self.write("compose.yaml", COMPOSE)
        self.write("config/shop.yaml", CONFIG)
        self.write("app/write.py", WRITE)
        self.write("uploads/old", "of the developer")
        self.write("one.conf", "original")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def replace(self, old, new):
        text = (self.folder / "compose.yaml").read_text()
        assert old in text
        self.write("compose.yaml", text.replace(old, new))

    def configure(self, line):
        self.write("config/shop.yaml", CONFIG + line)

    def resolved(self, **stack_request):
        environment = {
            **os.environ,
            "STACKPROOF_STATE_DIR": str(self.state),
            "STACKPROOF_CACHE_DIR": str(self.folder.parent / "cache"),
        }
        stack_request = lifecycle.StackRequest(
            root=self.folder, environment=environment, **stack_request
        )
        return lifecycle.prepare(stack_request, self.said.append)

    def up(self, **options):
        return lifecycle.up(self.resolved(), self.said.append, **options)

    def down(self, **options):
        return lifecycle.down(self.resolved(), self.said.append, **options)

    def read_only(self):
        """From now on the service only tells what there is."""
        self.replace("write.py", "read.py")
        self.write("app/read.py", READ)

    def copy(self, **options):
        """An isolated stack."""
        return lifecycle.up(self.resolved(isolated=True), self.said.append, **options).stack

    def end(self, *stacks):
        for stack in stacks:
            take_down(stack.running.run_folder, seconds=20)

    def log(self, stack):
        wait_until(
            lambda: any("written" in line.text for line in stack.running.logs()),
            timeout=30,
            what="the service has written",
        )
        return [line.text for line in stack.running.logs()]

    def files(self):
        """The developer's files, with their contents and times."""
        return {
            str(path.relative_to(self.folder)): (path.read_text(), path.stat().st_mtime_ns)
            for name in ("uploads", "one.conf")
            for path in [self.folder / name, *(self.folder / name).rglob("*")]
            if path.is_file()
        }


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    made = Project(folder)
    yield made
    made.down(force=True)
