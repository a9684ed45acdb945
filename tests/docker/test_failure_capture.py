"""What a failing test leaves of the containers: their logs, and all that Docker knows of them."""

import json


def only(paths):
    (found,) = paths
    return found


def test_a_failing_test_leaves_logs_health_history_and_exit_codes(project):
    project.append(
        f"config/{project.name}.yaml",
        "suites: {integration: {paths: [checks]}}\n",
    )
    project.write(
        "checks/test_shop.py",
        """\
        import pytest

        @pytest.mark.integration
        def test_sells(running_stack):
            running_stack.service("worker").exec(["python", "-c", "1"])
            running_stack.service("worker").kill("SIGKILL")
            assert False, "nothing is sold"
        """,
    )
    project.invoke("up")

    said = project.invoke("test", "integration", code=1)

    assert "worker: was ended by SIGKILL at +" in said
    run = only((project.folder / ".artifacts").glob("docker-integration/2*"))
    failure = only((run / "failures").iterdir())
    assert "nothing is sold" in (failure / "failure.txt").read_text()
    assert str(failure / "details.json") in said
    details = json.loads((failure / "details.json").read_text())
    assert details["web"]["State"]["Health"]["Status"] in {"healthy", "starting"}
    assert details["worker"]["State"]["OOMKilled"] is False
    assert "ExitCode" in details["worker"]["State"]
    assert (run / "logs" / "worker.log").read_text().count("at work") >= 1
    assert set(json.loads((run / "details.json").read_text())) == {"web", "worker"}
    project.invoke("down")
    project.wait_until_nothing_is_left()
