"""AUT-008: two packs whose dependencies conflict run at the same time, each with its own."""

import pytest
from tests.e2e.automation.packs import wheel, zipped

pytestmark = [pytest.mark.e2e, pytest.mark.stack("automation")]

SHAPES = "shapes"


def wheels_of(version):
    """The library that both packs want, in one of its versions."""
    return wheel(SHAPES, version, f'VERSION = "{version}"\n')


def test_packs_with_conflicting_dependencies_run_side_by_side(user, operator):
    for number in ("1", "2"):
        user.register_pack(zipped(f"shapes_{number}", wheels_of(f"{number}.0")))
    wanted = [pack["dependencies"] for pack in user.some("packs") if SHAPES in pack["ref"]]
    assert wanted == [["shapes==1.0"], ["shapes==2.0"]]

    running = {
        number: [user.execute(f"shapes_{number}.tell", delay=1) for _ in range(2)]
        for number in ("1", "2")
    }
    for number, executions in running.items():
        for one in executions:
            told = user.wait_for(one, "completed")["result"]
            assert told["version"] == f"{number}.0"
    operator.wait_until_settled()
    assert operator.most_at_once([*running["1"], *running["2"]]) > 1, "they did not run together"
    prefixes = {user.execution(one)["result"]["prefix"] for one in [*running["1"], *running["2"]]}
    assert len(prefixes) == 2

    # The other version alone is there: the pack that wants this one can't run.
    user.register_pack(zipped("shapes_1", wheels_of("2.0")))
    failed = user.wait_for(user.execute("shapes_1.tell"), "failed")
    assert failed["result"]["error"]["type"] == "environment_failed"
    assert "shapes" in failed["result"]["error"]["message"]
