"""A secret that a service writes in every form is nowhere in what stays or is shown."""

import json
from contextlib import suppress
from pathlib import Path

from tests.secret_forms import CANARY, SCENARIO, WRITER, all_forms, leaks


def test_no_form_of_a_secret_stays_or_is_shown(project):
    project.environment |= {"SHOP_API_KEY": CANARY}
    project.write("web/server.py", WRITER)
    project.write("web/forms.json", json.dumps(all_forms()))
    project.write("tests/integration/test_shop.py", SCENARIO)
    project.write(
        "scripts/seed.sh", 'psql -q "$DATABASE_URL" -c "select 1"; cat "$(dirname "$0")/forms"\n'
    )
    project.write("scripts/forms", "\n".join(all_forms()))
    said = [
        project.invoke(*one) for one in (["up"], ["migrate"], ["seed"], ["config", "--explain"])
    ]
    said.append(project.invoke("test", "integration", code=1))
    said += [project.invoke("logs"), project.invoke("urls")]
    assert leaks(CANARY, said=arguments_of_processes()) == []
    kept = project.folder / ".artifacts"
    assert len([one for one in kept.rglob("*") if one.is_file()]) > 10
    assert "********" in "\n".join(said)
    assert leaks(CANARY, kept, project.run_folder.path, said="\n".join(said)) == []

    project.invoke("down")
    project.write("web/broken", "")
    failed = project.invoke("up", code=1)
    assert "********" in failed
    assert leaks(CANARY, kept, project.outer, said=failed) == []


def arguments_of_processes():
    """What every user of the machine can read of its processes."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(line.read_text(errors="replace").replace("\0", " "))
    return "\n".join(found)
