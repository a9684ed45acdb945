"""The isolation receipt of a stack: in the artifacts, by `doctor`, and as a condition."""

import json

import pytest

FILES = {
    "compose.yaml": "services: {cache: {image: 'redis:7'}}\n",
    "config/shop.yaml": """\
        stack: shop
        compose_files: [../compose.yaml]
        world: private
        isolation: {strict: true}
        """,
}


@pytest.fixture
def strict(project):
    for name, text in FILES.items():
        project.write(name, text)
    return project


def verdicts(project):
    text = (project.folder / ".artifacts/up/latest/isolation.json").read_text()
    (found,) = json.loads(text)["services"].values()
    return {one["probe"]: one["verdict"] for one in found}


def test_a_strict_stack_starts_only_where_nothing_is_open(strict):
    told = strict.invoke("up", code=1)
    assert "shop-e2e is not as isolated as `isolation.strict` demands" in told
    assert "open: reach this machine's name servers: ask 127.0.0.11" in told
    assert "write `hermetic: true`" in told
    assert verdicts(strict)["names"] == "open"
    strict.wait_until_nothing_is_left()

    shown = strict.invoke("doctor", "--isolation", code=1)  # of a trial service
    assert "a trial service: private world, 1 service:" in shown
    strict.wait_until_nothing_is_left()

    strict.environment["STACKPROOF_HERMETIC"] = "1"
    strict.invoke("up")
    assert set(verdicts(strict).values()) == {"enforced"}
    shown = strict.invoke("doctor", "--isolation")
    assert "shop-e2e: private world, 1 service: 16 enforced, 0 open, 0 untestable;" in shown


def test_a_service_of_the_host_world_is_found_to_be_open(strict):
    strict.environment |= {"STACKPROOF_WORLD": "host", "STACKPROOF_STRICT": "0"}
    shown = strict.invoke("doctor", "--isolation")
    assert "a trial service: host world, 1 service:" in shown
    for way in ("ports of other stacks", "abstract sockets", "name servers", "shared memory"):
        assert any(line.startswith("open") for line in shown.splitlines() if way in line)
    strict.wait_until_nothing_is_left()
    strict.environment["STACKPROOF_STRICT"] = "1"
    told = strict.invoke("up", code=1)
    assert "a strict stack needs a private world of the process engine" in told
