import sys
from contextlib import contextmanager

import pytest

from stackproof.engines.process.control import Control
from stackproof.engines.process.spec import ServiceSpec
from stackproof.readiness.probes import HealthTiming, LogProbe
from stackproof.reaper.launch import launch
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.sweep import marked
from stackproof.reaper.takedown import take_down, wait_gone

SYSTEM = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
READY = "print('ready')\n"


class Rig:
    """A supervisor under its reaper, with services that are little Python programs."""

    def __init__(self, root, *, private=True):
        self.run = RunFolder(root, "rig-e2e")
        argv = [sys.executable, "-m", "stackproof.engines.process.supervisor", "--run-folder"]
        self.lease = launch(
            self.run, [*argv, str(self.run.path)], environment=SYSTEM, private=private
        )
        self.control = Control(self.run)
        self.control.wait_for_supervisor()
        self.said = []

    def spec(self, name, code, **fields):
        fields.setdefault("stop_grace", 2.0)
        fields.setdefault("one_shot", True)  # most have nothing more to do once they are ready
        env = {**SYSTEM, "STACKPROOF_SERVICE": f"rig-e2e/{name}", **fields.pop("env", {})}
        fields.setdefault("cwd", str(self.run.path))
        return ServiceSpec(name, (sys.executable, "-c", code), env, **fields)

    def ready_spec(self, name, code, **fields):
        """A service that is ready when it has printed `ready`."""
        fields.setdefault("probe", LogProbe("^ready$"))
        fields.setdefault("timing", HealthTiming(interval=5.0, start_interval=0.1))
        return self.spec(name, code, **fields)

    def start(self, *specs, timeout=20):
        self.control.start(specs)
        self.control.wait_ready(timeout, self.said.append)

    def state(self, name):
        return next(one for one in self.control.status() if one.name == name)

    def processes(self, name):
        """What runs of a service or command of this rig, not of another one beside it."""
        return marked(f"STACKPROOF_RUN={self.lease.run_id}", f"STACKPROOF_SERVICE=rig-e2e/{name}")

    def log(self, name):
        return (self.run.logs / f"{name}.log").read_text()

    def order(self):
        """Services in the order in which they were started."""
        lines = [line.split() for line in self.said]
        return [words[2] for words in lines if words[3] == "starting"]

    def shut_down(self):
        self.control.shut_down(20)
        assert wait_gone(self.run, seconds=20)


@pytest.fixture
def rig(tmp_path):
    with _opened(Rig(tmp_path / "state")) as made:
        yield made


@pytest.fixture
def shared_rig(tmp_path):
    """Where the machine allows no namespaces."""
    with _opened(Rig(tmp_path / "state", private=False)) as made:
        yield made


@pytest.fixture
def other_shared_rig(tmp_path):
    """A rig with the same names in it, of another state root."""
    with _opened(Rig(tmp_path / "other", private=False)) as made:
        yield made


@contextmanager
def _opened(made):
    yield made
    take_down(made.run, seconds=5)
    made.lease.close()
    assert not made.run.path.exists()
