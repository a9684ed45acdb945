"""The compiled modules of stackproof are kept by tasks, though Invoke keeps none of its own."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def compiled(tmp_path):
    """Runs a task in an empty project; gives the names of the modules that were kept."""

    def run(**environment):
        (tmp_path / "tasks.py").write_text(
            "from stackproof.tasks import namespace\nns = namespace()\n"
        )
        usual = {name: value for name, value in os.environ.items() if "BYTECODE" not in name}
        kept = tmp_path / "kept"
        subprocess.run(
            [sys.executable, "-m", "invoke", "status"], cwd=tmp_path, capture_output=True,
            env={**usual, "PYTHONPYCACHEPREFIX": str(kept), **environment}, check=False,
        )  # fmt: skip
        return {path.name.split(".")[0] for path in kept.rglob("*.pyc")}

    return run


def test_a_task_keeps_what_it_has_compiled_but_not_the_projects_own_modules(compiled):
    kept = compiled()
    assert {"planner", "resolved", "starting"} <= kept
    assert "own" not in kept


def test_a_caller_who_wants_no_compiled_modules_gets_none(compiled):
    assert compiled(PYTHONDONTWRITEBYTECODE="1") == set()
