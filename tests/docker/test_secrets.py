"""A secret that a container writes in every form is nowhere in what stays or is shown."""

import json

from tests.secret_forms import CANARY, SCENARIO, WRITER, all_forms, leaks


def test_no_form_of_a_secret_stays_or_is_shown(project):
    project.environment |= {"SHOP_API_KEY": CANARY}
    project.replace(
        "compose.yaml",
        "command: [python, /app/server.py]",
        "command: [python, /app/server.py]\n    environment: {SHOP_API_KEY: '${SHOP_API_KEY}', "
        "URL: 'http://u:${SHOP_API_KEY}@web'}",
    )
    project.append(
        project.config,
        """\
        variables: {SHOP_API_KEY: unset-key}
        seed: {service: web, command: [python, -c, "import json; print(*json.load(open('/app/forms.json')))"]}
        """,  # noqa: E501 - one command
    )
    project.write("app/server.py", WRITER)
    project.write("app/forms.json", json.dumps(all_forms()))
    project.write("tests/integration/test_shop.py", SCENARIO)
    said = [project.invoke(*one) for one in (["up"], ["seed"], ["config", "--explain"])]
    said.append(project.invoke("test", "integration", code=1))
    said += [project.invoke("logs"), project.invoke("urls")]
    kept = project.folder / ".artifacts"
    assert len([one for one in kept.rglob("*") if one.is_file()]) > 5
    assert "********" in "\n".join(said)
    assert leaks(CANARY, kept, project.state, said="\n".join(said)) == []

    project.invoke("down")
    project.write("app/broken", "")
    failed = project.invoke("up", code=1)
    assert "********" in failed
    assert leaks(CANARY, kept, project.folder / "state", said=failed) == []


def test_a_container_has_the_value_that_the_written_model_leaves_out(project):
    project.environment |= {"SHOP_API_KEY": CANARY}
    project.replace(
        "compose.yaml",
        "command: [python, /app/server.py]",
        "command: [python, /app/server.py]\n    environment: {SHOP_API_KEY: '${SHOP_API_KEY}'}",
    )
    project.append(project.config, "        variables: {SHOP_API_KEY: unset-key}\n")
    project.invoke("up")
    assert f"SHOP_API_KEY={CANARY}" in project.container("web").attrs["Config"]["Env"]
    (model,) = project.state.rglob("compose.json")
    assert CANARY not in model.read_text()
