"""A broker on the process engine: native, with what its files say, alone in each stack."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.broker_project import FAILING, FILES, SEED
from tests.processes import running_below
from tests.toolkit.small_project import SmallProject

from stackproof.engines.process.images.rabbitmq_programs import locate_rabbitmq
from stackproof.errors import EngineUnavailable
from stackproof.plan.runtime import Runtime
from stackproof.waiting import wait_until

CONFIG = "stack: shop\nproject: shop-e2e\ncompose_files: [../compose.yaml]\n" + SEED


@pytest.fixture
def project(tmp_path):
    try:
        locate_rabbitmq(Runtime("image", image="rabbitmq", version="3"), tmp_path)
    except EngineUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    outer = Path(tempfile.mkdtemp(prefix="stackproof-test-"))
    outer.chmod(0o711)  # servers do not run as root, and pytest's folders are private
    made = SmallProject(tmp_path, outer)
    files = {**FILES, "config/shop.yaml": CONFIG, "tests/test_z.py": FAILING}
    for name, text in files.items():
        made.write(name, text)
    made.environment.pop("STACKPROOF_CACHE_DIR")  # Debian's packages are fetched once
    yield made
    made.end()
    outer.rmdir()


def test_each_stack_has_a_broker_of_its_own_whose_queues_are_kept_and_nothing_is_left_of_it(
    project,
):
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        argv, cwd=project.folder, env=project.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
    )  # fmt: skip
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    (queues,) = project.folder.glob(".artifacts/pytest/latest/failures/*/queues.txt")
    log = (queues.parent / "logs/mq.log").read_text()
    assert "Server startup complete" in log
    assert "unexpectedly closed" not in log, "the health check leaves a warning each time"
    assert queues.read_text() == "mq:\n  orders jobs: 0 ready, 0 unacked, 0 consumers\n"
    wait_until(lambda: not running_below(project.state), timeout=30, what="none left")
    assert not project.state.exists()
