"""A fork server of root and one of an ordinary user, and what their programs have seen."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.identities import require

WORLD = Path(__file__).parents[1] / "world" / "supervised.py"
PARTS = [WORLD.read_text(), (Path(__file__).parent / "forked.py").read_text()]
TEXT = re.sub(r"from supervised import .*", "", "\n".join([*PARTS, "main()"]))


@pytest.fixture(scope="package", params=["root", "ordinary user"])
def forked(request, tmp_path_factory):
    """What the programs of `forked.py` have printed, with their statuses."""
    require(request.param)
    if request.param == "root" or os.getuid() != 0:
        folder = tmp_path_factory.mktemp("forked")
        done = subprocess.run(
            [sys.executable, "-c", TEXT, str(folder)],
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
    else:
        user = request.getfixturevalue("other_user")
        folder = Path(tempfile.mkdtemp(prefix="forked-", dir=user.home))
        user.owns(folder)
        done = user.python(TEXT, str(folder))
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "root": request.param == "root"}
