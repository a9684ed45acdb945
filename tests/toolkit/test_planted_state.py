"""Every command, in a state folder that another user has planted: none obeys it."""

import pytest

PLANT = """\
import json, pathlib, sys
root, canary = map(pathlib.Path, sys.argv[1:])
folder = root / "runs" / "evil"
folder.mkdir(parents=True)
record = {
    "run_id": "0" * 16, "project": "evil", "boot_id": "", "owner": None, "reaper": None,
    "supervisor": None, "intended": [str(canary.parent)], "docker": None,
    "farewell": ["/bin/sh", "-c", f"id > {canary}"],
}
(folder / "record.json").write_text(json.dumps(record))
"""


@pytest.fixture
def planted(project, other_user):
    """The state folder of a project, made by another user before its first command."""
    canary = project.outer / "canary"
    project.outer.chmod(0o1777)
    done = other_user.python(PLANT, str(project.state), str(canary))
    assert done.returncode == 0, done.stderr
    yield canary
    other_user.run(["rm", "-rf", str(project.state)])


@pytest.mark.parametrize("command", ["config", "urls", "logs", "clean", "build", "status", "up"])
def test_no_command_obeys_a_state_folder_of_another_user(project, planted, other_user, command):
    said = project.invoke(command, code=1)
    assert f"{project.state} is not safe to use" in said
    assert f"it belongs to user {other_user.uid} ({other_user.name})" in said
    assert not planted.exists()
    assert (project.state / "runs" / "evil" / "record.json").exists()
