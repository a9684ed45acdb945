"""Rooms made by root and by an ordinary user, in a process that stands in for the supervisor."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.identities import require

PARTS = [(Path(__file__).parent / name).read_text() for name in ("supervised.py", "receipts.py")]
TEXT = re.sub(r"from supervised import .*", "", "\n".join([*PARTS, "main(globals())"]))


@pytest.fixture(scope="package", params=["root", "ordinary user"])
def supervised(request, tmp_path_factory):
    """Runs a function of `supervised.py` once, with an empty folder; gives what it returns."""
    require(request.param)
    answers = {}

    def run(scenario):
        if scenario not in answers:
            answers[scenario] = _run(scenario)
        return answers[scenario]

    def _run(scenario):
        if request.param == "root" or os.getuid() != 0:
            folder = tmp_path_factory.mktemp(scenario)
            done = subprocess.run(
                [sys.executable, "-c", TEXT, scenario, str(folder)],
                capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
        else:
            user = request.getfixturevalue("other_user")
            folder = Path(tempfile.mkdtemp(prefix=f"room-{scenario}-", dir=user.home))
            user.owns(folder)
            done = user.python(TEXT, scenario, str(folder))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    run.has_all_ids = request.param == "root"
    return run
