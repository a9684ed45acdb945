"""What common libraries do works in a fork as in a new process, as root and as an ordinary user."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.identities import require
from tests.other_users import SYSTEM_PYTHON
from uv import find_uv_bin

from stackproof.engines.process.fork_server.approving import approve

UNIT = Path(__file__).parents[1] / "unit"
PARTS = [UNIT / "world" / "supervised.py", UNIT / "fork_server" / "forked.py",
         Path(__file__).parent / "forked_libraries.py"]  # fmt: skip
LEFT_OUT = re.compile(r"^from (supervised|forked) import .*$", re.MULTILINE)
TEXT = LEFT_OUT.sub("", "\n".join([*(part.read_text() for part in PARTS), "run_libraries()"]))
PACKAGES = ("uvloop", "gevent", "numpy", "pydantic-settings", "sqlalchemy", "celery")


IMPORTED = [
    "asyncio", "uvloop", "gevent", "gevent.pool", "numpy", "pydantic_settings", "sqlite3",
    "sqlalchemy", "sqlalchemy.orm", "celery", "celery.app.base",
    "celery.concurrency.prefork", "celery.concurrency.solo", "celery.apps.worker",
    "kombu.transport.filesystem",
]  # fmt: skip


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory):
    """Of a virtualenv that everybody can read, with these packages."""
    folder = Path(tempfile.mkdtemp(prefix="stackproof-libraries-"))
    folder.chmod(0o755)
    uv, venv = find_uv_bin(), str(folder / "venv")
    python = SYSTEM_PYTHON if Path(SYSTEM_PYTHON).exists() else sys.executable
    subprocess.run([uv, "venv", "-q", "--python", python, venv], check=True, timeout=100)
    command = [uv, "pip", "install", "-q", "--link-mode", "copy", "--python", f"{venv}/bin/python"]
    subprocess.run([*command, *PACKAGES], check=True, timeout=300)
    subprocess.run(["chmod", "-R", "a+rX", venv], check=True)
    yield f"{venv}/bin/python"
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture(scope="module")
def approved(interpreter):
    return approve(Path(interpreter), ENVIRONMENT, IMPORTED, ())


@pytest.fixture(scope="module", params=["root", "ordinary user"])
def found(request, interpreter, approved, tmp_path_factory):
    """What the programs have printed, with their statuses."""
    require(request.param)
    if request.param == "root":
        folder = tmp_path_factory.mktemp("libraries")
        done = subprocess.run(
            [sys.executable, "-c", TEXT, str(folder), interpreter, *approved.modules],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    else:
        user = request.getfixturevalue("other_user")
        folder = Path(tempfile.mkdtemp(prefix="libraries-", dir=user.home))
        user.owns(folder)
        done = user.python(TEXT, str(folder), interpreter, *approved.modules, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("asyncio", "b'' 5 True\n"),
        ("uvloop", "0 uvloop True\n"),
        ("gevent", "b'x' True True\n"),
        ("pydantic_settings", "debug True\n"),
        ("sqlalchemy", "42 True\n"),
    ],
)
def test_a_library_that_is_imported_ahead_works_in_a_fork(found, name, printed):
    assert found[name] == {"output": printed, "status": 0}


def test_numpy_is_not_imported_ahead_where_it_starts_threads(found, approved):
    ahead = "numpy" not in approved.left_out
    assert ahead or approved.left_out == {"numpy": "its import starts a thread"}
    assert found["numpy"] == {"output": f"200 {ahead}\n", "status": 0}
    assert found["chance"]["output"] != found["again"]["output"]


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_celery_worker_does_its_tasks_in_a_fork(found, pool):
    assert f"in the main process: {pool == 'solo'} True\n" in found[pool]["output"]
    assert found[pool]["status"] == 0


def test_no_library_leaves_anything_in_the_server_that_forks(found):
    assert found["faults"] == []
